package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// Promise 6: killed in any phase, the daemon finds everything again, passes
// nothing that it has not finished, and finishes what is still in its slot.
func TestKilledInEachPhase(t *testing.T) {
	releases, r := demoRelease(t)
	phases := slices.DeleteFunc(station.Phases(), func(phase string) bool {
		return phase == "read_nvs" || phase == "verify_firmware" // only of units whose firmware stays
	})
	for i, phase := range phases {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			config := filepath.Join(dir, "flashd.yaml")
			if err := os.WriteFile(config, []byte("log: {level: debug}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{
				"serve", "--config", config, "--simulate", "2", "--instant", "--images", releases,
				"--state-dir", dir, "--listen", "127.0.0.1:0",
			}
			before := "station started"
			if i > 0 {
				before = "name=" + phases[i-1] + " "
			}
			killAfter(t, dir, before, args)

			store := openStoreOf(t, dir)
			inSlot := openAttempts(t, store)
			checkSimulatedUnits(t, dir, store, r)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}

			runFlashd(t, dir, exitDone, append(args, "--units", "2")...)
			store = openStoreOf(t, dir)
			defer store.Close()
			if passed := checkSimulatedUnits(t, dir, store, r); passed < 2 {
				t.Errorf("%d units passed, want 2", passed)
			}
			for _, a := range inSlot {
				checkAbortedThenPassed(t, store, a)
			}
		})
	}
}

// killAfter runs flashd and kills it when it has logged a line with those words.
func killAfter(t *testing.T, dir, words string, args []string) {
	t.Helper()
	cmd := flashdProcess(t, dir, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for lines := bufio.NewScanner(io.TeeReader(pipe, &log)); lines.Scan(); {
		if strings.Contains(lines.Text(), words) {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			return
		}
	}
	t.Fatalf("flashd never logged %q:\n%s", words, &log)
}

func openAttempts(t *testing.T, store *jobs.Store) (open []jobs.Attempt) {
	t.Helper()
	for a, err := range store.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Open() {
			open = append(open, a)
		}
	}
	return open
}

// checkAbortedThenPassed checks what became of an attempt that was open when
// the daemon was killed, and of its unit.
func checkAbortedThenPassed(t *testing.T, store *jobs.Store, was jobs.Attempt) {
	t.Helper()
	a, err := store.Attempt(was.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a.Outcome != jobs.Aborted || a.Failure == nil {
		t.Errorf("the attempt cut off is %q: %+v", a.Outcome, a.Failure)
	}
	if len(a.Phases) < len(was.Phases) {
		t.Errorf("phases were lost: %d of %d", len(a.Phases), len(was.Phases))
	}
	if a.Unit == "" {
		return // it was not known yet which unit it was
	}
	u, err := store.Unit(a.Unit)
	if err != nil {
		t.Fatal(err)
	}
	if !u.Passed {
		t.Errorf("unit %s was not finished: %+v", u.ID, u)
	}
}

// Promise 10, with a real signal.
func TestTerminatedDaemonFinishesItsUnits(t *testing.T) {
	releases, r := demoRelease(t)
	dir := filepath.Join(t.TempDir(), "state")
	cmd := flashdProcess(t, dir, "serve", "--simulate", "2", "--instant", "--images", releases, "--state-dir", dir, "--listen", "127.0.0.1:0")
	cmd.Dir = t.TempDir()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if strings.Contains(lines.Text(), "attempt ended") { // and others are under way
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped by SIGTERM it ends with %v", err)
	}
	store := openStoreOf(t, dir)
	defer store.Close()
	for a, err := range store.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome != jobs.Pass {
			t.Errorf("attempt %d is %q: %+v", a.ID, a.Outcome, a.Failure)
		}
	}
	if passed := checkSimulatedUnits(t, dir, store, r); passed == 0 {
		t.Error("no unit passed")
	}
}

func TestStationSurvivesItsLogReader(t *testing.T) {
	releases, _ := demoRelease(t)
	dir := filepath.Join(t.TempDir(), "state")
	cmd := flashdProcess(t, t.TempDir(), "serve", "--simulate", "1", "--units", "3", "--instant", "--images", releases, "--state-dir", dir, "--listen", "127.0.0.1:0")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(pipe).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("without anybody to read its log it ends with %v", err)
	}
}

func TestInterruptedRunIsNoSuccess(t *testing.T) {
	releases, _ := demoRelease(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := filepath.Join(t.TempDir(), "state")
		// Chips that take their time, so that there is something to abandon.
		cmd := flashdProcess(t, t.TempDir(), "serve", "--simulate", "1", "--units", "5", "--grace", "10m", "--images", releases, "--state-dir", dir, "--listen", "127.0.0.1:0")
		pipe, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		client := dialDaemon(t, dir)
		awaitStatus(t, client, func(s station.SlotView) bool { return s.Phase == "write" })
		var log strings.Builder
		for lines := bufio.NewScanner(io.TeeReader(pipe, &log)); lines.Scan(); {
			if strings.Contains(lines.Text(), "station started") {
				go insist(t.Context(), cmd.Process, sig)
			}
		}
		var failed *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != exitInterrupted {
			t.Errorf("%v: it ends with %v, want exit code %d", sig, err, exitInterrupted)
		}
		if !strings.Contains(log.String(), "outcome=aborted") || !strings.Contains(log.String(), "stopping: 1 under way") {
			t.Errorf("%v: it does not say what it abandoned:\n%s", sig, &log)
		}
		store := openStoreOf(t, dir)
		if open := openAttempts(t, store); len(open) > 0 {
			t.Errorf("%v: %d attempts were left open", sig, len(open))
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// insist asks a process to stop again and again, until it has.
func insist(ctx context.Context, p *os.Process, sig os.Signal) {
	for ctx.Err() == nil && p.Signal(sig) == nil {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// timeout(1) signals a process and then its group: the second signal is no second wish.
func TestFlashThatIsStoppedTwiceAtOnce(t *testing.T) {
	releases, _ := demoRelease(t)
	dir := t.TempDir()
	chip := espsim.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: [6]byte{0xA0, 0xB1, 0xC2, 0xD3, 0xE4, 0xF5}, Flash: espsim.NewFlash(8 << 20),
		Timing: espsim.Realistic(espsim.Bridge), // so that there is something to stop
	})
	cmd := flashdProcess(t, dir, "flash", "--port", onSocket(t, chip), "--images", releases, "--state-dir", dir, "--credentials", "demo", "--log-format", "text")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(pipe)
	for line := ""; !strings.Contains(line, "level=INFO"); {
		if line, err = said.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // while the unit has its second to finish
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // of another process
	}
	rest, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != exitInterrupted {
		t.Errorf("it ends with %v, want exit code %d:\n%s", err, exitInterrupted, rest)
	}
	store := openStoreOf(t, dir)
	defer store.Close()
	if open := openAttempts(t, store); len(open) > 0 {
		t.Errorf("%d attempts were left open", len(open))
	}
}

// dialDaemon waits for a daemon to answer.
func dialDaemon(t *testing.T, stateDir string) *web.Client {
	t.Helper()
	for {
		client, err := web.Dial(stateDir)
		if err == nil {
			t.Cleanup(client.Close)
			return client
		}
		if !errors.Is(err, web.ErrNoDaemon) || t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // of another process
	}
}

// awaitStatus waits until the first slot of a daemon is as wanted.
func awaitStatus(t *testing.T, client *web.Client, ok func(station.SlotView) bool) {
	t.Helper()
	for {
		view, err := client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(view.Slots) > 0 && ok(view.Slots[0]) {
			return
		}
		time.Sleep(10 * time.Millisecond) // of another process
	}
}
