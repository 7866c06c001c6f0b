package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asFlashd in the environment makes the test binary be flashd, for tests that
// need a process of its own to kill.
const asFlashd = "FLASHD_TEST_AS_FLASHD"

func TestMain(m *testing.M) {
	// This machine's own station, if it is one, is none of the tests' business.
	packagedConfig = os.Getenv("FLASHD_TEST_PACKAGED_CONFIG")
	// Where root runs the tests, somebody is behind that.
	if err := os.Setenv("SUDO_USER", "ann"); err != nil {
		panic(err)
	}
	if os.Getenv(asFlashd) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"flashd": func() { os.Exit(run()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { env.Setenv("SUDO_USER", "ann"); return nil },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitCode},
	})
}

// exitCode runs a command that has to end with a code: exitcode 3 flashd …
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE COMMAND [ARG ...]")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
