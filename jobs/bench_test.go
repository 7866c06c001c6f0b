package jobs_test

import (
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

const many = 100_000

func BenchmarkUnit(b *testing.B) {
	s, _ := openStore(b)
	fill(b, s, many)
	i := 0
	for b.Loop() {
		i = (i + 7919) % many
		if _, err := s.Unit(unitN(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewest100(b *testing.B) {
	s, _ := openStore(b)
	fill(b, s, many)
	for b.Loop() {
		if n := len(list(b, s, jobs.Filter{Limit: 100})); n != 100 {
			b.Fatalf("%d attempts", n)
		}
	}
}

func BenchmarkAttemptsOfUnit(b *testing.B) {
	s, _ := openStore(b)
	fill(b, s, many)
	i := 0
	for b.Loop() {
		i = (i + 7919) % many
		if n := len(list(b, s, jobs.Filter{Unit: unitN(i)})); n != 1 {
			b.Fatalf("%d attempts", n)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, path := openStore(b)
	fill(b, s, many)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := jobs.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
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
