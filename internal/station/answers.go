package station

import (
	"fmt"
	"sync"
)

// oddInARow is how many units in a row may have credentials that cannot be used. One
// is the fault of what the source knows about that unit; so many are the source's own,
// and the next would only be written in vain.
const oddInARow = 3

// answers judges the source of credentials by what it says about one unit after the
// other.
type answers struct {
	mu  sync.Mutex
	odd map[string]bool // the units since the last whose credentials could be used
}

// fit takes credentials that could be used.
func (s *answers) fit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.odd)
}

// unfit takes a unit whose credentials cannot be used, and returns why the line is to
// stop, or nil. A unit that is put in again tells nothing new.
func (s *answers) unfit(unit, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.odd == nil {
		s.odd = map[string]bool{}
	}
	s.odd[unit] = true
	if len(s.odd) < oddInARow {
		return nil
	}
	return fmt.Errorf("the credentials of %d units in a row cannot be used. The last: %s Put that right, then start flashd again", len(s.odd), why)
}
