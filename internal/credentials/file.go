package credentials

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSecretFile is the size up to which a file can hold one secret, in bytes.
const maxSecretFile = 64 << 10

// ReadSecretFile reads a secret from a file that only its owner can read. One
// newline at the end is not part of it.
func ReadSecretFile(path string) (Secret, error) {
	data, err := readPrivate(path, maxSecretFile)
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("%s is empty: write the secret into it", path)
	}
	return Secret(text), nil
}

// SecretFromEnv takes a secret from an environment variable.
func SecretFromEnv(name string) (Secret, error) {
	text := os.Getenv(name)
	if text == "" {
		return "", fmt.Errorf("the environment variable %s is not set: put the secret into it", name)
	}
	return Secret(text), nil
}

// readPrivate reads a file of up to limit bytes that holds secrets, unless
// others can read it.
func readPrivate(path string, limit int64) ([]byte, error) {
	// A pipe in place of the file must not make flashd wait for whoever fills it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var data []byte
	if err = checkPrivate(f); err == nil {
		data, err = io.ReadAll(io.LimitReader(f, limit+1))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes: is it the right file?", path, limit)
	}
	return data, nil
}

func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", f.Name())
	case info.Mode().Perm()&0o077 != 0 && !fromSystemd(f.Name()):
		return fmt.Errorf("%s holds secrets, but others than its owner may use it (mode %04o): chmod 600 %[1]s", f.Name(), info.Mode().Perm())
	}
	return nil
}

// fromSystemd reports whether path is a credential that systemd passes to this
// service (LoadCredential=). It lets the service's user in by an ACL, which
// shows up as group permissions, and keeps others out by the directory.
func fromSystemd(path string) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
