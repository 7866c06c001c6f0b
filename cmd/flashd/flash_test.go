package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// socketChip is a simulated chip on a TCP port.
func socketChip(t *testing.T, mac [6]byte) (port string, chip *espsim.Chip) {
	t.Helper()
	chip = espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: mac, Flash: espsim.NewFlash(8 << 20)})
	return onSocket(t, chip), chip
}

// onSocket puts a chip on a TCP port.
func onSocket(t *testing.T, chip *espsim.Chip) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		for ctx.Err() == nil {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = chip.Serve(ctx, conn) // it ends when the client goes
		}
	}()
	t.Cleanup(func() {
		cancel()
		listener.Close()
		<-served
		chip.Close()
	})
	return "socket://" + listener.Addr().String()
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const ownSalt = "0123456789abcdef0123456789abcdef"

func TestFlashOneUnit(t *testing.T) {
	releases, r := demoRelease(t)
	dir := t.TempDir()
	port, chip := socketChip(t, [6]byte{0xA0, 0xB1, 0xC2, 0xD3, 0xE4, 0xF5})
	const unit = "A0B1C2D3E4F5"
	args := []string{
		"flash", "--port", port, "--images", releases, "--state-dir", dir,
		"--credentials", "derive:" + secretFile(t, ownSalt),
	}
	stdout, stderr := runFlashd(t, dir, exitDone, args...)
	if !strings.HasPrefix(stdout, "PASS "+unit) || !strings.Contains(stdout, "not watched as it started") || !strings.Contains(stderr, "no reset line") {
		t.Errorf("it says %q and %q", stdout, stderr)
	}
	password := passWord(t, ownSalt, unit)
	checkFlash(t, chip.Flash().Bytes(), r, unit, password)
	if leak := stdout + stderr + readAll(t, dir); strings.Contains(leak, password) || strings.Contains(leak, ownSalt) {
		t.Error("a secret is in the output or in the state directory")
	}

	_, stderr = runFlashd(t, dir, exitRefused, args...)
	if !strings.Contains(stderr, "REFUSED") || !strings.Contains(stderr, "flashd rework") {
		t.Errorf("it says %q", stderr)
	}

	// Rework without a daemon: the NVS partition only.
	runFlashd(t, dir, exitDone, "rework", unit, "--reason", "new broker", "--by", "Eve", "--set", "region=eu", "--state-dir", dir)
	stdout, _ = runFlashd(t, dir, exitDone, args...)
	if !strings.HasPrefix(stdout, "PASS") || !strings.Contains(stdout, "still that of release demo; it was not watched") {
		t.Errorf("it says %q", stdout)
	}
	checkFlash(t, chip.Flash().Bytes(), r, unit, password)
	p, err := parseNVS(chip.Flash().Bytes(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := p.Lookup("gateway", "region"); !ok || got != nvsgen.Text("eu") {
		t.Errorf("gateway/region is %v", got)
	}
	store := openStoreOf(t, dir)
	defer store.Close()
	for a, err := range store.Attempts(jobs.Filter{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Rework == nil || a.Rework.By != "Eve" || a.Written > int64(r.NVS.Size) {
			t.Errorf("the rework is recorded as %+v", a)
		}
		if len(a.Verified) != len(r.Segments)+1 || len(a.Notes) == 0 || !strings.Contains(a.Notes[0], "gateway/region") {
			t.Errorf("it does not prove what it kept: %+v", a)
		}
	}
}

// readAll returns the contents of all files below dir.
func readAll(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestFlashRefusesWhatCannotBeRight(t *testing.T) {
	releases, _ := demoRelease(t)
	dir := t.TempDir()
	short := secretFile(t, "too short a salt")
	open := secretFile(t, ownSalt)
	if err := os.Chmod(open, 0o644); err != nil { //nolint:gosec // that is what is wrong with it
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		code int
		says string
		args []string
	}{
		{"no credentials", exitUsage, "credentials", []string{"--port", "socket://127.0.0.1:1"}},
		{"short salt", exitUsage, "32", []string{"--port", "socket://127.0.0.1:1", "--credentials", "derive:" + short}},
		{"salt that others can read", exitUsage, "chmod 600", []string{"--port", "socket://127.0.0.1:1", "--credentials", "derive:" + open}},
		{"unknown source", exitUsage, "derive:SALTFILE", []string{"--port", "socket://127.0.0.1:1", "--credentials", "guess"}},
		{"unknown source with a file", exitUsage, "derive:SALTFILE", []string{"--port", "socket://127.0.0.1:1", "--credentials", "file:x"}},
		{"server without a token", exitUsage, "--token-file", []string{"--port", "socket://127.0.0.1:1", "--credentials", "server:https://config.example.com"}},
		{"demo on a real port", exitUsage, "simulated", []string{"--port", "/dev/null", "--credentials", "demo"}},
		{"no such port", exitFailure, "flashd ports lists", []string{"--port", "/dev/ttyNONE", "--credentials", "demo"}},
		{"no port at all", exitUsage, "no serial port", []string{"--port", ".", "--credentials", "demo"}},
		{"no serial port", exitFailure, "flashd ports lists", []string{"--port", "/dev/pts/../null", "--credentials", "demo"}},
		{"an address alone", exitUsage, "write socket://127.0.0.1:1", []string{"--port", "127.0.0.1:1", "--credentials", "demo"}},
		{"nobody there", exitFailure, "ERROR", []string{"--port", "socket://127.0.0.1:1", "--credentials", "demo"}},
		{"unknown older release", exitFailure, "image list", []string{"--port", "socket://127.0.0.1:1", "--credentials", "demo", "--diff", "nope"}},
		{"older release that is the same", exitUsage, "the release to write", []string{"--port", "socket://127.0.0.1:1", "--credentials", "demo", "--diff", "demo"}},
		{"unverified without a reason", exitUsage, "reason", []string{"--port", "socket://127.0.0.1:1", "--unverified", " "}},
		{"unknown release", exitFailure, "image list", []string{"--port", "socket://127.0.0.1:1", "--release", "nope"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, stderr := runFlashd(t, dir, tc.code, append([]string{"flash", "--images", releases, "--state-dir", dir}, tc.args...)...)
			if !strings.Contains(stderr, tc.says) {
				t.Errorf("it says %q, want something with %q", stderr, tc.says)
			}
		})
	}
}

// configServer speaks the API of the config server.
func configServer(t *testing.T, token string, asked *atomic.Int32) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		unit, ok := strings.CutPrefix(r.URL.Path, "/api/provision/")
		switch {
		case r.Method != http.MethodPost || !ok:
			http.NotFound(w, r)
		case r.Header.Get("Authorization") != "Bearer "+token:
			http.Error(w, "who are you?", http.StatusUnauthorized)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{ // the client notices
				"device_id": unit, "mqtt_user": unit, "mqtt_password": passWord(t, ownSalt, unit),
				"mqtt_host": "mqtt.example.com", "mqtt_port": 8883, "provision_date": "2026-01-01",
			})
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestFlashWithConfigServer(t *testing.T) {
	releases, r := demoRelease(t)
	const unit, token = "A0B1C2D3E4F6", "a-token-that-nobody-guesses"
	var asked atomic.Int32
	server := configServer(t, token, &asked)
	dir := t.TempDir()
	args := []string{"flash", "--images", releases, "--state-dir", dir, "--credentials", "server:" + server.URL + "/api"}

	port, chip := socketChip(t, [6]byte{0xA0, 0xB1, 0xC2, 0xD3, 0xE4, 0xF6})
	_, stderr := runFlashd(t, dir, exitFailure, append(args, "--port", port, "--token-file", secretFile(t, "wrong"))...)
	if !strings.Contains(stderr, "token") {
		t.Errorf("a refused token is told as %q", stderr)
	}
	stdout, stderr := runFlashd(t, dir, exitDone, append(args, "--port", port, "--token-file", secretFile(t, token))...)
	checkFlash(t, chip.Flash().Bytes(), r, unit, passWord(t, ownSalt, unit))
	if leak := stdout + stderr + readAll(t, dir); strings.Contains(leak, token) || strings.Contains(leak, passWord(t, ownSalt, unit)) {
		t.Error("a secret is in the output or in the state directory")
	}
	if asked.Load() == 0 {
		t.Error("the config server was never asked")
	}
}
