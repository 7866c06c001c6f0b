package jobs_test

import (
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

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
