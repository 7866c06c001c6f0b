package jobs_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

const (
	million = 1_000_000
	// between is the time between two attempts: a million take some two years.
	between = time.Minute
)

// newest is when the last of the million attempts was begun.
var newest = t0.Add((million - 1) * between)

// filling is attempt i of a line with eight slots: of each hundred attempts three
// fail, two meet an error of the rig, and five are of a unit that was there before.
// A ninth slot was used for the first thousand only, and there is a new release
// every fifty thousand.
func filling(i int) jobs.Filling {
	f := jobs.Filling{
		Slot: fmt.Sprint(1 + i%8), Release: fmt.Sprintf("gateway-1.%d.0", i/50_000),
		Unit: unitN(i), Start: t0.Add(time.Duration(i) * between), Result: pass(),
	}
	if i < 1000 && i%8 == 0 {
		f.Slot = "9"
	}
	switch i % 100 {
	case 10, 40, 70:
		f.Result = failed(jobs.Fail)
	case 20, 60:
		f.Result = failed(jobs.Error)
	case 11, 41, 71, 21, 61:
		f.Unit = unitN(i - 1)
	}
	f.Result.End = f.Start.Add(20 * time.Second)
	return f
}

// BenchmarkMillion asks a store of a million attempts what people ask. Making the
// store takes some minutes.
func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "jobs.db")
	s, err := jobs.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	s.Fill(b, million, filling)
	closeStore(b, s)
	size := float64(must(os.Stat(path))(b).Size())

	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			closeStore(b, must(jobs.Open(path))(b))
		}
		b.ReportMetric(size/million, "bytes/attempt")
	})
	b.Run("OpenAfterKill", func(b *testing.B) {
		for b.Loop() {
			if err := os.Remove(path + ".closed"); err != nil {
				b.Fatal(err)
			}
			closeStore(b, must(jobs.Open(path))(b))
		}
	})
	s = must(jobs.Open(path))(b)
	defer closeStore(b, s)
	b.Run("Unit", func(b *testing.B) {
		for i := 0; b.Loop(); i = (i + 7900) % million {
			if _, err := s.Unit(unitN(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, query := range []struct {
		name   string
		filter jobs.Filter
		want   int // attempts
	}{
		{"Newest50", jobs.Filter{Limit: 50}, 50},
		{"Newest50OfSlot", jobs.Filter{Slot: "3", Limit: 50}, 50},
		{"Newest50OfSlotLongUnused", jobs.Filter{Slot: "9", Limit: 50}, 50},
		{"Newest50OfOldRelease", jobs.Filter{Release: "gateway-1.2.0", Limit: 50}, 50},
		{"Newest50Failed", jobs.Filter{Outcome: jobs.Fail, Limit: 50}, 50},
		{"Newest50OfKindInSlot", jobs.Filter{Kind: "no_sync", Slot: "3", Limit: 50}, 50},
		{"FailuresOfADay", jobs.Filter{Outcome: jobs.Fail, Since: newest.AddDate(0, 0, -1)}, 43},
		{"AttemptsOfADay", jobs.Filter{Since: newest.AddDate(0, 0, -1)}, 1441},
		{"AttemptsOfUnit", jobs.Filter{Unit: unitN(500_010)}, 2},
		{"WordsThatNeverMeet", jobs.Filter{Outcome: jobs.Pass, Kind: "no_sync"}, 0},
	} {
		b.Run(query.name, func(b *testing.B) {
			for b.Loop() {
				if n := len(list(b, s, query.filter)); n != query.want {
					b.Fatalf("%d attempts, want %d", n, query.want)
				}
			}
		})
	}
	b.Run("Backup", func(b *testing.B) {
		for b.Loop() {
			n := must(s.Backup(io.Discard))(b)
			b.SetBytes(n)
		}
	})
	b.Run("Check", func(b *testing.B) {
		for b.Loop() {
			if err := s.Check(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAttempt is a whole attempt with all its syncs; parallel ones share them.
func BenchmarkAttempt(b *testing.B) {
	s, _ := openStore(b)
	b.SetParallelism(8)
	next := make(chan int)
	go func() {
		for i := range b.N {
			next <- i
		}
		close(next)
	}()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			run(b, s, unitN(<-next), jobs.Provision, pass())
		}
	})
}

// BenchmarkArchive moves ten thousand attempts out of a hundred thousand.
func BenchmarkArchive(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, _ := openStore(b)
		s.Fill(b, 100_000, filling)
		b.StartTimer()
		if _, err := s.Archive(b.Context(), b.TempDir(), t0.Add(10_000*between)); err != nil {
			b.Fatal(err)
		}
	}
}
