package jobs_test

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"syscall"
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
	reopen := func(b *testing.B) { closeStore(b, must(jobs.Open(path))(b)) }

	b.Run("Open", func(b *testing.B) {
		measure(b, nothing, reopen)
		b.ReportMetric(float64(must(os.Stat(path))(b).Size())/million, "bytes/attempt")
	})
	b.Run("OpenAfterKill", func(b *testing.B) { measure(b, func(b *testing.B) { leaveOpen(b, path) }, reopen) })
	b.Run("OpenUnknown", func(b *testing.B) { measure(b, func(b *testing.B) { removeMark(b, path) }, reopen) })
	b.Run("Migrate", func(b *testing.B) {
		old := filepath.Join(b.TempDir(), "jobs.db")
		measure(b, func(b *testing.B) { jobs.Downgrade(b, path, old) }, func(b *testing.B) { closeStore(b, must(jobs.Open(old))(b)) })
	})

	s = must(jobs.Open(path))(b)
	defer closeStore(b, s)
	benchmarkQueries(b, s)
	b.Run("Attempt", func(b *testing.B) { benchmarkAttempts(b, s, 2) })
	b.Run("Archive", func(b *testing.B) { benchmarkArchive(b, s) })
	b.Run("AttemptAfterArchive", func(b *testing.B) { benchmarkAttempts(b, s, 3) })
}

func benchmarkQueries(b *testing.B, s *jobs.Store) {
	i := 0
	b.Run("Unit", func(b *testing.B) {
		measure(b, nothing, func(b *testing.B) {
			i = (i + 7900) % million
			must(s.Unit(unitN(i)))(b)
		})
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
			measure(b, nothing, func(b *testing.B) {
				if n := len(list(b, s, query.filter)); n != query.want {
					b.Fatalf("%d attempts, want %d", n, query.want)
				}
			})
		})
	}
	b.Run("Export", func(b *testing.B) {
		header, row := jobs.AttemptFields([]string{"connect", "write", "verify"})
		measure(b, nothing, func(b *testing.B) {
			if err := jobs.WriteCSV(io.Discard, s.Attempts(jobs.Filter{}), header, row); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("Backup", func(b *testing.B) { measure(b, nothing, func(b *testing.B) { must(s.Backup(io.Discard))(b) }) })
	b.Run("Check", func(b *testing.B) {
		measure(b, nothing, func(b *testing.B) {
			if err := s.Check(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// benchmarkAttempts takes units that nobody has seen through whole attempts.
func benchmarkAttempts(b *testing.B, s *jobs.Store, millions int) {
	i := millions * million
	measure(b, nothing, func(b *testing.B) {
		run(b, s, unitN(i), jobs.Provision, pass())
		i++
	})
}

// benchmarkArchive moves the older half into an archive while the line works on, and
// tells how long that had to wait.
func benchmarkArchive(b *testing.B, s *jobs.Store) {
	var waits []time.Duration
	measure(b, nothing, func(b *testing.B) {
		done := make(chan error, 1)
		go func() {
			_, err := s.Archive(b.Context(), b.TempDir(), t0.Add(million/2*between))
			done <- err
		}()
		for {
			select {
			case err := <-done:
				if err != nil {
					b.Fatal(err)
				}
				return
			case <-time.After(10 * time.Millisecond):
				start := time.Now()
				begin(b, s, "1")
				waits = append(waits, time.Since(start))
			}
		}
	})
	slices.Sort(waits)
	b.ReportMetric(milliseconds(waits[len(waits)/2]), "median-begin-ms")
	b.ReportMetric(milliseconds(waits[len(waits)*99/100]), "p99-begin-ms")
	b.ReportMetric(milliseconds(waits[len(waits)-1]), "longest-begin-ms")
}

func nothing(*testing.B) {}

// measure reports the fastest run, which others on the machine held up least, and
// how much time of a processor a run takes. What prepare does counts for neither.
func measure(b *testing.B, prepare, run func(*testing.B)) {
	fastest, busy := time.Duration(math.MaxInt64), time.Duration(0)
	for b.Loop() {
		prepare(b)
		began, before := time.Now(), processorTime(b)
		run(b)
		fastest, busy = min(fastest, time.Since(began)), busy+processorTime(b)-before
	}
	b.ReportMetric(milliseconds(fastest), "fastest-ms")
	b.ReportMetric(milliseconds(busy)/float64(b.N), "processor-ms")
	b.ReportMetric(0, "ns/op") // with prepare, and all that the machine did beside it
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
