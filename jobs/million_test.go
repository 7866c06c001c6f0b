package jobs_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

// BenchmarkMillion asks a store of a million attempts what people ask, and takes it
// through what is done to it once in a while. BENCHMARKS.md has the numbers.
func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "jobs.db")
	s := must(jobs.Open(path))(b)
	s.Fill(b, million, filling)
	closeStore(b, s)

	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			closeStore(b, must(jobs.Open(path))(b))
		}
		b.ReportMetric(float64(must(os.Stat(path))(b).Size())/million, "bytes/attempt")
	})
	for name, leave := range map[string]func(testing.TB, string){"OpenAfterKill": leaveOpen, "OpenUnknown": removeMark} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				leave(b, path)
				b.StartTimer()
				closeStore(b, must(jobs.Open(path))(b))
			}
		})
	}
	b.Run("Migrate", func(b *testing.B) {
		old := filepath.Join(b.TempDir(), "jobs.db")
		for b.Loop() {
			b.StopTimer()
			jobs.Downgrade(b, path, old)
			b.StartTimer()
			closeStore(b, must(jobs.Open(old))(b))
		}
	})
	s = must(jobs.Open(path))(b)
	defer closeStore(b, s)
	benchmarkQueries(b, s)
	b.Run("Attempt", func(b *testing.B) { benchmarkAttempts(b, s, 2) })
	b.Run("Archive", func(b *testing.B) { benchmarkArchive(b, s) })
	b.Run("AttemptAfterArchive", func(b *testing.B) { benchmarkAttempts(b, s, 3) })
}

func benchmarkQueries(b *testing.B, s *jobs.Store) {
	b.Run("Unit", func(b *testing.B) {
		for i := 0; b.Loop(); i = (i + 7900) % million {
			must(s.Unit(unitN(i)))(b)
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
	b.Run("Export", func(b *testing.B) {
		header, row := jobs.AttemptFields([]string{"connect", "write", "verify"})
		for b.Loop() {
			if err := jobs.WriteCSV(io.Discard, s.Attempts(jobs.Filter{}), header, row); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(million*float64(b.N)/b.Elapsed().Seconds(), "attempts/s")
	})
	b.Run("Backup", func(b *testing.B) {
		for b.Loop() {
			b.SetBytes(must(s.Backup(io.Discard))(b))
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

// benchmarkAttempts takes units that nobody has seen through whole attempts.
func benchmarkAttempts(b *testing.B, s *jobs.Store, millions int) {
	for i := 0; b.Loop(); i++ {
		run(b, s, unitN(millions*million+i), jobs.Provision, pass())
	}
}

// benchmarkArchive moves the older half into an archive while the line works on, and
// tells how long that had to wait.
func benchmarkArchive(b *testing.B, s *jobs.Store) {
	begun := 0
	for b.Loop() {
		done := make(chan error)
		go func() {
			_, err := s.Archive(b.Context(), b.TempDir(), t0.Add(million/2*between))
			done <- err
		}()
		var took []time.Duration
		for working := true; working; begun++ {
			select {
			case err := <-done:
				if err != nil {
					b.Fatal(err)
				}
				working = false
			default:
				start := time.Now()
				must(s.Begin(jobs.Attempt{Slot: "1"}))(b)
				took = append(took, time.Since(start))
				time.Sleep(5 * time.Millisecond)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/begin-median")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/begin-max")
	}
}
