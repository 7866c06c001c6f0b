package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is built later is an upgrade for dpkg, whatever git describe calls it.
func TestDebianVersions(t *testing.T) {
	dpkg, git := need(t, "dpkg", "dpkg"), need(t, "git", "git")
	// A repository of its own, with commits an hour apart and no tag.
	dir := t.TempDir()
	script, err := os.ReadFile("../.ci/deb-version")
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(dir, ".ci", "deb-version")
	if err := os.Mkdir(filepath.Dir(tool), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tool, script, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	run(t, nil, git, "-C", dir, "init", "-q")
	var versions []string
	add := func(described string) { versions = append(versions, strings.TrimSpace(run(t, nil, tool, described))) }
	versions = append(versions, "0~20261129+fd0eb31") // as it was called once
	for i, described := range []string{"fd0eb31", "1e93b20", "1e93b20-dirty", "0a8f2c1"} {
		t.Setenv("GIT_COMMITTER_DATE", []string{"2026-11-29T23:30:00+13:00", "2026-11-29T12:00:00Z", "2026-11-29T12:00:00Z", "2026-11-30T00:30:00+01:00"}[i])
		run(t, nil, git, "-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", described)
		add(described)
	}
	for _, described := range []string{
		"v0.9.0-rc2", "v0.9.0-rc10", "v0.9.0-rc10-3-gfd0eb31", "v0.9.0", "v0.9.0-dirty", "v0.9.0-2-gfd0eb31", "v0.9.0-2-gfd0eb31-dirty", "v0.9.0-10-g1e93b20",
		"v0.9.1", "v0.10.0", "1.0.0",
	} {
		add(described)
	}
	for i, newer := range versions[1:] {
		run(t, nil, dpkg, "--validate-version", newer)
		run(t, nil, dpkg, "--compare-versions", newer, "gt", versions[i])
	}
}
