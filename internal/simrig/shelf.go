package simrig

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hoptech.co.nz/flashd/flasher"
)

// shelf keeps the units between runs: which is in which slot, and the flash of
// each in a file of its own.
type shelf struct {
	dir   string
	state shelfState
}

// shelfState is the file slots.json.
type shelfState struct {
	Next  uint32            `json:"next"`  // low three bytes of the next unit's MAC
	Slots map[string]string `json:"slots"` // path → device ID of the unit there
	Gone  []string          `json:"gone"`  // device IDs of units taken out, oldest first
}

// openShelf opens the shelf in dir; first is where the MACs of a new one begin.
func openShelf(dir string, first uint32) (*shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &shelf{dir: dir, state: shelfState{Next: first % (1 << 24), Slots: map[string]string{}}}
	raw, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &s.state); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): delete the folder %s to begin with new units", s.file(), err, dir)
	}
	return s, nil
}

func (s *shelf) file() string { return filepath.Join(s.dir, "slots.json") }

func (s *shelf) flashFile(mac flasher.MAC) string {
	return filepath.Join(s.dir, mac.DeviceID()+".bin")
}

// inSlot returns the unit that is in a slot already.
func (s *shelf) inSlot(path string) (flasher.MAC, bool) {
	id, ok := s.state.Slots[path]
	if !ok {
		return flasher.MAC{}, false
	}
	mac, err := flasher.ParseMAC(id)
	return mac, err == nil
}

// take puts a new unit into a slot. MACs begin as many of Espressif's do.
func (s *shelf) take(path string) (flasher.MAC, error) {
	var tail [4]byte
	binary.BigEndian.PutUint32(tail[:], s.state.Next)
	mac := flasher.MAC{0x34, 0x85, 0x18, tail[1], tail[2], tail[3]}
	s.state.Next = (s.state.Next + 1) % (1 << 24)
	s.state.Slots[path] = mac.DeviceID()
	return mac, s.save()
}

// putBack takes a unit out of a slot; of those that left, the last few keep
// their flash.
func (s *shelf) putBack(path string, mac flasher.MAC, keep int) {
	delete(s.state.Slots, path)
	s.state.Gone = append(s.state.Gone, mac.DeviceID())
	for keep > 0 && len(s.state.Gone) > keep {
		_ = os.Remove(filepath.Join(s.dir, s.state.Gone[0]+".bin")) // a file more does no harm
		s.state.Gone = s.state.Gone[1:]
	}
	_ = s.save() // at worst the unit is there again after a restart
}

// save replaces the file at once, whole or not at all.
func (s *shelf) save() error {
	raw, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return err
	}
	next := s.file() + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.file())
}
