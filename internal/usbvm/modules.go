package usbvm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// modules adds kernel modules with what they depend on, and a list of the order
// to load them in.
func (p *packer) modules(list string, names []string) error {
	m := moduleSet{at: map[string]string{}, seen: map[string]bool{}}
	err := filepath.WalkDir(filepath.Join(p.root, "lib/modules"), func(path string, _ fs.DirEntry, err error) error {
		if base, is := strings.CutSuffix(filepath.Base(path), ".ko"); is {
			m.at[moduleName(base)] = path
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := m.add(moduleName(name)); err != nil {
			return err
		}
	}
	for _, name := range m.order {
		data, err := os.ReadFile(m.at[name])
		if err != nil {
			return err
		}
		if err := p.archive.file(modulesDir+name+".ko", 0o644, data); err != nil {
			return err
		}
	}
	return p.archive.file(list, 0o644, []byte(strings.Join(m.order, "\n")))
}

// moduleName is a module's name as the kernel has it; files also use dashes.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

type moduleSet struct {
	at    map[string]string // files by name
	seen  map[string]bool
	order []string
}

// add adds a module after those that it depends on.
func (m *moduleSet) add(name string) error {
	if m.seen[name] {
		return nil
	}
	m.seen[name] = true
	path, ok := m.at[name]
	if !ok {
		return fmt.Errorf("the kernel package has no module %s", name)
	}
	needs, err := dependencies(path)
	if err != nil {
		return err
	}
	for _, n := range needs {
		if err := m.add(moduleName(n)); err != nil {
			return err
		}
	}
	m.order = append(m.order, name)
	return nil
}

// dependencies reads a module's own word on what it needs.
func dependencies(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s is not a kernel module", path)
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, is := strings.CutPrefix(string(field), "depends="); is {
			return strings.FieldsFunc(list, func(r rune) bool { return r == ',' }), nil
		}
	}
	return nil, nil
}
