package usbvm

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// silence ends a machine that has not been heard of for so long. Its heartbeat
// goes by its own clock, of which a second can take a minute where others are
// busy, too. Tests that hang in a machine that lives end by -test.timeout, which
// counts by that clock as well.
const silence = 10 * time.Minute

// errNoVerdict is returned when the machine ends, or has to be ended, before it
// has given a verdict.
var errNoVerdict = errors.New("the machine ended without a verdict")

// host runs the tests and returns their exit code.
func host(cfg Config, arguments []string) (code int, err error) {
	root := os.Getenv("USBVM_ROOT")
	if root == "" {
		return 0, errors.New("USBVM_ROOT does not say where Debian's kernel is unpacked; run make test-usb")
	}
	dir, err := os.MkdirTemp("", "usbvm")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	shares := share(guestArguments(arguments), cfg.Apart)
	machines := make([]machine, len(shares))
	var running sync.WaitGroup
	for i := range machines {
		running.Go(func() {
			m := &machines[i]
			var out io.Writer = &m.said
			if i == 0 {
				out = os.Stdout
			}
			m.code, m.err = run(out, root, filepath.Join(dir, fmt.Sprint("initramfs", i)), cfg, shares[i])
		})
	}
	running.Wait()
	for i := range machines {
		m := &machines[i]
		code, err = max(code, m.code), errors.Join(err, m.err)
		if _, werr := m.said.WriteTo(os.Stdout); werr != nil {
			return 0, werr
		}
	}
	return code, err
}

// machine is one that has run its share of the tests.
type machine struct {
	said bytes.Buffer
	code int
	err  error
}

// share gives tests that take long to a machine of their own. A machine has one
// processor; this way two are used. Who chooses tests himself gets one machine.
func share(arguments, apart []string) [][]string {
	chosen := slices.ContainsFunc(arguments, func(a string) bool {
		return strings.HasPrefix(a, "-test.run") || strings.HasPrefix(a, "-test.skip")
	})
	if chosen || len(apart) == 0 {
		return [][]string{arguments}
	}
	those := "^(" + strings.Join(apart, "|") + ")$"
	return [][]string{
		append(slices.Clone(arguments), "-test.skip="+those),
		append(slices.Clone(arguments), "-test.run="+those),
	}
}

// run runs a machine, and returns the exit code of the tests in it.
func run(out io.Writer, root, image string, cfg Config, arguments []string) (code int, err error) {
	if err := pack(image, root, cfg, arguments); err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		code, err = boot(out, filepath.Join(root, "vmlinux"), image, cfg)
		if !errors.Is(err, errNoVerdict) || try == 2 {
			return code, err
		}
		fmt.Fprintln(out, "usbvm:", err, "- trying once more")
	}
}

// guestArguments leaves out what names files of the host.
func guestArguments(all []string) []string {
	var kept []string
	for _, a := range all {
		name, _, _ := strings.Cut(a, "=")
		switch name {
		case "-test.testlogfile", "-test.coverprofile", "-test.gocoverdir", "-test.paniconexit0", "-test.outputdir":
		default:
			kept = append(kept, a)
		}
	}
	return kept
}

// boot runs QEMU until the machine gives its verdict.
func boot(out io.Writer, kernel, image string, cfg Config) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// QEMU is to die with this process, for which Linux takes this thread.
	runtime.LockOSThread()
	// microvm hangs in four of ten boots; pc does not. The machine's clock counts
	// its instructions, 1 ns each, and jumps when it waits: so nothing in the
	// machine is late because the host is busy with something else.
	arguments := append([]string{
		"-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", strconv.Itoa(cmp.Or(cfg.Memory, 1024)),
		"-icount", "shift=0,sleep=off", "-rtc", "clock=vm",
		"-display", "none", "-serial", "stdio", "-no-reboot",
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=2", exitPort),
		"-kernel", kernel, "-initrd", image, "-append", "console=ttyS0 quiet loglevel=3 panic=-1",
	}, cfg.Devices...)
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", arguments...)
	qemu.Stderr = os.Stderr
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when go test loses patience
	console, err := qemu.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := qemu.Start(); err != nil {
		return 0, fmt.Errorf("%w; install the Debian package qemu-system-x86", err)
	}
	watchdog := time.AfterFunc(silence, cancel)
	copyConsole(out, console, func() { watchdog.Reset(silence) })
	err = qemu.Wait()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() > 0 && ended.ExitCode()&1 == 1:
		return ended.ExitCode() >> 1, nil
	case err == nil:
		return 0, errNoVerdict
	default:
		return 0, fmt.Errorf("%w: %w", errNoVerdict, err)
	}
}

// copyConsole copies lines, which the machine ends as terminals want it, and
// reports each; that the machine is alive is of no interest to people.
func copyConsole(w io.Writer, console io.Reader, heard func()) {
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		heard()
		if line := strings.TrimRight(lines.Text(), "\r"); line != heartbeat {
			fmt.Fprintln(w, line)
		}
	}
}
