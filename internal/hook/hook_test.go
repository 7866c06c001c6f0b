package hook_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hoptech.co.nz/flashd/internal/hook"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run has a shell carry out script for a pass, and returns the log.
func run(ctx context.Context, script string, timeout time.Duration, what station.Happening) string {
	what.Event = station.HookPass
	return logOf(ctx, timeout, what, "/bin/sh", "-c", script)
}

func logOf(ctx context.Context, timeout time.Duration, what station.Happening, argv ...string) string {
	var log bytes.Buffer
	hook.Programs{
		For:     map[station.HookEvent][]string{station.HookPass: argv},
		Timeout: timeout,
		Log:     slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}.Run(ctx, what)
	return log.String()
}

const ample = time.Minute

func TestEnvironment(t *testing.T) {
	t.Setenv("FLASHD_TOKEN", "hunter2")
	t.Setenv("FLASHD_SALT", "pepper")
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("TZ", "UTC")
	file := filepath.Join(t.TempDir(), "env")
	log := run(t.Context(), "env >"+file, ample, station.Happening{
		Station: "line-1", Simulated: true, Slot: "left 1", Path: "1-1.2", Release: "gateway-1", Attempt: 7, Unit: "A1B2C3D4E5F6",
		Outcome: jobs.Fail, Phase: "verify", Kind: "mismatch", Text: "It says \"no\";\x00 $(reboot).", ErrorsInARow: 2,
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err, log)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"}, name) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	want := []string{
		"FLASHD_ATTEMPT=7", "FLASHD_ERRORS_IN_A_ROW=2", "FLASHD_EVENT=pass", "FLASHD_KIND=mismatch", "FLASHD_OUTCOME=fail", "FLASHD_PATH=1-1.2", "FLASHD_PHASE=verify",
		"FLASHD_RELEASE=gateway-1", "FLASHD_SIMULATED=true", "FLASHD_SLOT=left 1", "FLASHD_STATION=line-1",
		`FLASHD_TEXT=It says "no"; $(reboot).`, "FLASHD_UNIT=A1B2C3D4E5F6", "TZ=UTC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAllVariablesAreThere(t *testing.T) {
	log := run(t.Context(), `set -u; echo "<$FLASHD_UNIT$FLASHD_ATTEMPT$FLASHD_OUTCOME$FLASHD_PHASE$FLASHD_KIND$FLASHD_TEXT>"`, ample, station.Happening{})
	if !strings.Contains(log, "output=<>") {
		t.Error(log)
	}
}

func TestLog(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         []string
	}{
		{"silent", "true", []string{"level=DEBUG", "a hook has run", "event=pass", "slot=left", "attempt=3"}},
		{"talks", "echo one; echo two >&2", []string{"level=INFO", `output="one\ntwo"`}},
		{"reads", "cat; echo end", []string{"level=INFO", "output=end"}},
		{"fails", "echo no paper; exit 3", []string{"level=WARN", "a hook has failed", `output="no paper"`, `err="exit status 3"`}},
		{"prints much", "head -c 5000 /dev/zero | tr '\\0' x", []string{"level=INFO", strings.Repeat("x", 4096) + " … and 904 bytes more"}},
		{"prints rubbish", `printf '\377'`, []string{"output=\"\uFFFD\""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			log := run(t.Context(), tc.script, ample, station.Happening{Slot: "left", Attempt: 3})
			for _, want := range tc.want {
				if !strings.Contains(log, want) {
					t.Errorf("no %s in the log:\n%s", want, log)
				}
			}
		})
	}
}

func TestNoProgram(t *testing.T) {
	if log := logOf(t.Context(), ample, station.Happening{Event: station.HookFail}, "/bin/false"); log != "" {
		t.Errorf("it did something: %s", log)
	}
	log := logOf(t.Context(), ample, station.Happening{Event: station.HookPass}, filepath.Join(t.TempDir(), "none"))
	if !strings.Contains(log, "a hook has failed") || !strings.Contains(log, "no such file") {
		t.Error(log)
	}
}

// What takes too long dies with all that it has started.
func TestTimeoutKillsTheGroup(t *testing.T) {
	log := run(t.Context(), "sleep 1000 & wait", time.Second, station.Happening{Text: t.Name()})
	if !strings.Contains(log, "it was killed after 1s") {
		t.Error(log)
	}
	awaitDeath(t)
}

// awaitDeath waits until no process is alive that was told the test's name.
func awaitDeath(t *testing.T) {
	t.Helper()
	for { // until the test's own time limit
		files, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			env, err := os.ReadFile(file) // that of the dead is empty
			return err == nil && bytes.Contains(env, []byte("FLASHD_TEXT="+t.Name()+"\x00"))
		}) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestStopKillsTheGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "started")
	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() {
		defer stop()
		for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
			time.Sleep(5 * time.Millisecond)
		}
	})
	log := run(ctx, "sleep 1000 & touch "+file+"; wait", time.Hour, station.Happening{Text: t.Name()})
	if !strings.Contains(log, "a hook has not ended") {
		t.Error(log)
	}
	awaitDeath(t)
}

// A process that is left behind on purpose does not hold up the next hook.
func TestProcessLeftBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	log := run(t.Context(), "sleep 1000 & echo $! >"+file+"; echo printing", ample, station.Happening{})
	if !strings.Contains(log, "has left a process behind") || !strings.Contains(log, "output=printing") {
		t.Error(log)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("it was killed: %v", err)
	}
}
