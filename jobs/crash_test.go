package jobs_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// crashEnv names the store that a child of TestKilled works on.
const crashEnv = "FLASHD_TEST_CRASH_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(archiveEnv); path != "" {
		err := archiveUntilKilled(path)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if path := os.Getenv(crashEnv); path != "" {
		err := workUntilKilled(path)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workUntilKilled runs a station of four slots that provision the same few units
// over and over, and acknowledges on standard output what is durable.
func workUntilKilled(path string) error {
	s, err := jobs.Open(path)
	if err != nil {
		return err
	}
	if _, err := s.Recover(time.Now()); err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil {
				errs[i] = workOnce(s, fmt.Sprint(i), unitN(rand.IntN(6)))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func workOnce(s *jobs.Store, slot, unit string) error {
	ack := func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }
	a, err := s.Begin(jobs.Attempt{Slot: slot, Release: "r1", Current: "connect"})
	if err != nil {
		return err
	}
	ack("begin %d", a.ID)
	d, err := s.Identify(a.ID, unit, chip)
	if err != nil {
		return err
	}
	ack("identify %d %s", a.ID, unit)
	r := jobs.Result{Outcome: jobs.Refused}
	if d.Verdict.Grants() {
		for _, name := range []string{"connect", "write", "verify"} {
			if err := s.EndPhase(a.ID, jobs.Phase{Name: name, Seconds: 1}); err != nil {
				return err
			}
			ack("phase %d", a.ID)
		}
		r = []jobs.Result{pass(), pass(), failed(jobs.Fail), failed(jobs.Error)}[rand.IntN(4)]
	}
	if _, err := s.Finish(a.ID, r); err != nil {
		return err
	}
	ack("finish %d %s", a.ID, r.Outcome)
	w, err := s.AllowRework(jobs.Rework{Unit: unit, Reason: "test", By: "test", Reflash: rand.IntN(2) == 0})
	switch {
	case errors.Is(err, jobs.ErrNotPassed):
		return nil
	case err != nil:
		return err
	}
	ack("rework %d %s", w.ID, unit)
	return nil
}

// acks are what children of TestKilled said was durable.
type acks struct {
	begun    map[uint64]bool
	unit     map[uint64]string
	phases   map[uint64]int
	finished map[uint64]jobs.Outcome
	reworks  map[uint64]string
}

func (k *acks) take(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var id uint64
	var value string
	if n, err := fmt.Sscan(rest, &id, &value); n == 0 {
		return fmt.Errorf("%q: %w", line, err)
	}
	switch word {
	case "begin":
		k.begun[id] = true
	case "identify":
		k.unit[id] = value
	case "phase":
		k.phases[id]++
	case "finish":
		k.finished[id] = jobs.Outcome(value)
	case "rework":
		k.reworks[id] = value
	}
	return nil
}

// Promise 6, and 1, 4 and 5 on the way: a station is killed again and again at
// any instant, also while its store is created.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	k := &acks{map[uint64]bool{}, map[uint64]string{}, map[uint64]int{}, map[uint64]jobs.Outcome{}, map[uint64]string{}}
	for round := range 10 {
		runAndKill(t, path, k, 12*round)
		if mark, err := os.ReadFile(path + ".mark"); round > 0 && !strings.Contains(string(mark), `"open":true`) {
			t.Errorf("it was killed, but its store has mark %q (%v)", mark, err)
		}
		s, err := jobs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		k.compare(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.finished) < 30 {
		t.Errorf("only %d attempts were finished: nothing was put to the test", len(k.finished))
	}
}

// runAndKill runs a child and kills it once it has acknowledged n things.
func runAndKill(t *testing.T, path string, k *acks, n int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	cmd.Stderr = os.Stderr
	out := must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; ; i++ {
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if !lines.Scan() {
			break
		}
		if err := k.take(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// compare checks a store that was killed against what was acknowledged.
func (k *acks) compare(t *testing.T, s *jobs.Store) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	wasOpen := map[uint64]bool{}
	for _, a := range list(t, s, jobs.Filter{Open: true}) {
		wasOpen[a.ID] = true
	}
	for _, a := range must(s.Recover(time.Now()))(t) {
		if !wasOpen[a.ID] || a.Outcome != jobs.Aborted || k.finished[a.ID] != "" {
			t.Errorf("recovered attempt %d: was open %t, now %s, acknowledged as %q", a.ID, wasOpen[a.ID], a.Outcome, k.finished[a.ID])
		}
		delete(wasOpen, a.ID)
	}
	if len(wasOpen) > 0 {
		t.Errorf("not recovered: %v", wasOpen)
	}
	if err := s.Check(); err != nil {
		t.Errorf("after Recover: %v", err)
	}
	for id := range k.begun {
		a := must(s.Attempt(id))(t)
		if a.Open() || a.Unit != k.unit[id] && k.unit[id] != "" || len(a.Phases) < k.phases[id] {
			t.Errorf("attempt %d: %+v; acknowledged: unit %q, %d phases", id, a, k.unit[id], k.phases[id])
		}
		if want := k.finished[id]; want != "" && a.Outcome != want {
			t.Errorf("attempt %d: %s, acknowledged as %s", id, a.Outcome, want)
		}
	}
	for id, unit := range k.reworks {
		found := false
		for _, r := range reworks(t, s, unit) {
			found = found || r.ID == id
		}
		if !found {
			t.Errorf("rework %d of unit %s is lost", id, unit)
		}
	}
	for u, err := range s.Units() {
		if err != nil || u.Open != 0 {
			t.Errorf("unit %s is still held by attempt %d (%v)", u.ID, u.Open, err)
		}
	}
}
