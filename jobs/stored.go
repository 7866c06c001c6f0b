package jobs

import (
	"fmt"
	"math"
	"time"
)

// stored is an attempt as the store keeps it. Phases and regions are most of an
// attempt, and as objects most of their bytes are the names of their fields; so
// each field is one array of all phases or regions. Times are relative to the
// start of the attempt, in seconds, to the microsecond.
//
// Schema 1 had objects in "phases" and "verified". They are still read, so that
// a migration need not write every attempt anew.
type stored struct {
	Attempt

	PhaseNames   []string  `json:"phaseNames,omitempty"`
	PhaseStarts  []float64 `json:"phaseStarts,omitempty"`
	PhaseSeconds []float64 `json:"phaseSeconds,omitempty"`

	RegionNames   []string `json:"regionNames,omitempty"`
	RegionOffsets []uint32 `json:"regionOffsets,omitempty"`
	RegionSizes   []int    `json:"regionSizes,omitempty"`
}

// store is how a is kept.
func (a Attempt) store() stored {
	s := stored{Attempt: a}
	s.Phases, s.Verified = nil, nil
	for _, p := range a.Phases {
		s.PhaseNames = append(s.PhaseNames, p.Name)
		s.PhaseStarts = append(s.PhaseStarts, microseconds(min(max(p.Start.Sub(a.Start).Seconds(), -maxSeconds), maxSeconds)))
		s.PhaseSeconds = append(s.PhaseSeconds, microseconds(p.Seconds))
	}
	for _, r := range a.Verified {
		s.RegionNames = append(s.RegionNames, r.Name)
		s.RegionOffsets = append(s.RegionOffsets, r.Offset)
		s.RegionSizes = append(s.RegionSizes, r.Size)
	}
	return s
}

// attempt is the inverse of store.
func (s stored) attempt() (Attempt, error) {
	a := s.Attempt
	if len(s.PhaseStarts) != len(s.PhaseNames) || len(s.PhaseSeconds) != len(s.PhaseNames) ||
		len(s.RegionOffsets) != len(s.RegionNames) || len(s.RegionSizes) != len(s.RegionNames) {
		return Attempt{}, fmt.Errorf("damaged record (arrays of different lengths): %w", ErrDamaged)
	}
	for i, name := range s.PhaseNames {
		if math.Abs(s.PhaseStarts[i]) > maxSeconds {
			return Attempt{}, fmt.Errorf("damaged record (phase %s begins %g seconds after its attempt): %w", name, s.PhaseStarts[i], ErrDamaged)
		}
		start := a.Start.Add(time.Duration(math.Round(s.PhaseStarts[i]*1e6)) * time.Microsecond)
		a.Phases = append(a.Phases, Phase{Name: name, Start: start, Seconds: s.PhaseSeconds[i]})
	}
	for i, name := range s.RegionNames {
		a.Verified = append(a.Verified, Region{Name: name, Offset: s.RegionOffsets[i], Size: s.RegionSizes[i]})
	}
	return a, nil
}

// maxSeconds is longer than a phase can take, or begin after its attempt, however
// wrong the clock was: some 31 years.
const maxSeconds = 1e9

// microseconds rounds so that a number has few digits.
func microseconds(seconds float64) float64 { return math.Round(seconds*1e6) / 1e6 }
