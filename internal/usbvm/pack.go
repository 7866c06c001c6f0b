package usbvm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pack writes the initramfs.
func pack(path, root string, cfg Config, arguments []string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(out)
	p := &packer{archive: newArchive(buffered), root: root}
	err = p.fill(cfg, arguments)
	return errors.Join(err, p.archive.finish(), buffered.Flush(), out.Close())
}

type packer struct {
	archive *archive
	root    string
}

func (p *packer) fill(cfg Config, arguments []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := p.program("/init", self); err != nil {
		return err
	}
	for _, name := range cfg.Programs {
		path, err := p.find(name)
		if err != nil {
			return err
		}
		if err := p.program("/bin/"+name, path); err != nil {
			return err
		}
	}
	for target, source := range cfg.Files {
		if err := p.copy(target, source); err != nil {
			return err
		}
	}
	for list, names := range map[string][]string{modulesFile: cfg.Modules, sparesFile: cfg.Spares} {
		if err := p.modules(list, names); err != nil {
			return err
		}
	}
	return p.archive.file(argumentsFile, 0o644, []byte(strings.Join(arguments, "\n")))
}

// find looks for a program among those that were fetched, then on the host.
func (p *packer) find(name string) (string, error) {
	for _, dir := range []string{"bin", "usr/bin", "sbin", "usr/sbin", "lib/systemd"} {
		path := filepath.Join(p.root, dir, name)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

// program copies an executable, and the libraries that the dynamic linker
// would load for it.
func (p *packer) program(target, source string) error {
	if err := p.copy(target, source); err != nil {
		return err
	}
	ldd := exec.Command("ldd", source)
	ldd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(p.root, "lib/x86_64-linux-gnu")+":"+filepath.Join(p.root, "usr/lib/x86_64-linux-gnu"))
	listing, err := ldd.CombinedOutput()
	if err != nil {
		if strings.Contains(string(listing), "not a dynamic executable") {
			return nil
		}
		return fmt.Errorf("ldd %s: %w: %s", source, err, listing)
	}
	for line := range strings.Lines(string(listing)) {
		if strings.Contains(line, "not found") {
			return fmt.Errorf("%s needs a library that is not here:%s", source, strings.TrimRight(line, "\n"))
		}
		words := strings.Fields(line)
		i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "/") })
		if i < 0 {
			continue // the kernel's own
		}
		if err := p.copy(inMachine(words[i]), words[i]); err != nil {
			return err
		}
	}
	return nil
}

// inMachine is where a library goes: the dynamic linker to its fixed place, the
// others to where it looks without a cache.
func inMachine(library string) string {
	if strings.HasPrefix(filepath.Base(library), "ld-linux") {
		return "/lib64/" + filepath.Base(library)
	}
	return "/lib/" + filepath.Base(library)
}

func (p *packer) copy(target, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return p.archive.file(target, info.Mode().Perm(), data)
}
