package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// systemd reads the unit without a complaint, and finds it well shut in.
func TestService(t *testing.T) {
	t.Parallel()
	analyze := need(t, "systemd-analyze", "systemd")
	bin, err := flashd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("flashd.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not where the package will have it.
	unit := filepath.Join(t.TempDir(), "flashd.service")
	const installed = "/usr/bin/flashd "
	if !strings.Contains(string(text), installed) {
		t.Fatalf("the unit does not have %q, which this test changes", installed)
	}
	here := strings.ReplaceAll(string(text), installed, bin+" ")
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, nil, analyze, "verify", "--man=no", unit); strings.Contains(out, "flashd") {
		t.Error(out)
	}
	// What a reload does first is to look at the file that the service is run with.
	_, after, _ := strings.Cut(string(text), "\nExecReload=")
	_, config, _ := strings.Cut(string(text), "ExecStart="+installed+"serve --config ")
	config, _, _ = strings.Cut(config, "\n")
	if first, _, _ := strings.Cut(after, "\n"); first != installed+"config check "+config {
		t.Errorf("a reload begins with %q", first)
	}
	// In tenths; above 25 systemd-analyze ends with an error. What is left is the
	// network, the boards' device nodes, and sockets to be told by the kernel.
	run(t, nil, analyze, "security", "--offline=true", "--threshold=25", unit)
}
