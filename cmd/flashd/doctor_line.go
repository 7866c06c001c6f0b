package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher/stub"
	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/credentials"
)

// checkUser notes that root may do what the station's user may not.
func checkUser(_ context.Context, p *patient) finding {
	me := userName(os.Geteuid())
	if os.Geteuid() == 0 {
		return doubtful("Ask again as the station's user: sudo -u flashd flashd doctor.", "root may open everything, so nothing is said here about permissions")
	}
	if info, err := os.Stat(p.StateDir); err == nil && foreign(info) {
		return doubtful(askAs(info), "you are %s, and the station's user is %s: what is said here of files is not what the station finds", me, ownerName(info))
	}
	return fine("%s", me)
}

// checkStateDir wants a folder that the record can be written into.
func checkStateDir(_ context.Context, p *patient) finding {
	dir := p.StateDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := existing(dir)
		if unix.Access(parent, unix.W_OK) != nil {
			return wrong("As root: install -d -o flashd -g flashd -m 750 "+dir+". With systemd, starting the service makes it.", "%s does not exist, and this user cannot make it in %s", dir, parent)
		}
		return fine("%s, to be made", dir)
	case err != nil:
		return wrong("Make it a folder of the station's user.", "%v", err)
	case !info.IsDir():
		return wrong("Move it away, or name another folder in state_dir.", "%s is not a folder", dir)
	case unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) != nil && foreign(info):
		return wrong(askAs(info), "you are %s, not %s, and may not write into %s", userName(os.Geteuid()), ownerName(info), dir)
	case unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) != nil:
		return wrong("As root: chown -R flashd:flashd "+dir+".", "this user may not write into %s", dir)
	case info.Mode().Perm()&0o002 != 0:
		return wrong("chmod o-w "+dir, "anybody may write into %s (mode %04o)", dir, info.Mode().Perm())
	}
	return fine("%s", dir)
}

// existing is the nearest folder above path that there is.
func existing(path string) string {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
	}
}

// Free space that is little, and that is too little, in bytes. An attempt takes
// some kilobytes of record.
const (
	littleSpace = 1 << 30
	noSpace     = 100 << 20
)

func checkDisk(_ context.Context, p *patient) finding {
	free, err := freeBytes(existing(p.StateDir))
	if err != nil {
		return wrong("Look at the disk.", "the free space is not known: %v", err)
	}
	return gradeSpace(free)
}

func gradeSpace(free uint64) finding {
	const advice = "Make room on the disk that holds the state directory: a record that cannot be written stops the line."
	switch mb := free >> 20; {
	case free < noSpace:
		return wrong(advice, "%d MB are free", mb)
	case free < littleSpace:
		return doubtful(advice, "%d MB are free", mb)
	default:
		return fine("%d GB are free", free>>30)
	}
}

// checkReleaseLoads does what serve does first.
func checkReleaseLoads(_ context.Context, p *patient) finding {
	r, err := p.loadRelease()
	if err != nil {
		return wrongAs(err, "Import the release again: flashd image import NAME BUILD.")
	}
	if _, err := p.loadPrevious(r); err != nil {
		return wrongAs(err, "Name another release in previous_release, or take that out of flashd.yaml.")
	}
	return fine("%s, for %s, is whole", r.Name, r.Chip)
}

// checkStub wants the stub of the release's chip in this build.
func checkStub(_ context.Context, p *patient) finding {
	if !p.Flasher.Stub {
		return doubtful("Remove flasher.stub: false, unless it is meant so.", "not to be used: units are written by their ROM loader, slowly")
	}
	chip := "esp32s3"
	if r, err := p.loadRelease(); err == nil {
		chip = r.Chip
	}
	if _, err := stub.For(chip); err != nil {
		return doubtful("Use a build that carries it: make build fetches it.", "%v", err)
	}
	return fine("esp-flasher-stub %s", stub.Version)
}

// checkCredentials wants secrets that can be read, and a server that answers.
func checkCredentials(ctx context.Context, p *patient) finding {
	if p.Credentials.Source == "" {
		return wrong("Choose credentials.source in flashd.yaml, and name that file with --config.", "where they come from is not said")
	}
	if secret := p.secretFile(); onlyForService(secret) {
		return doubtful("Put the secret into /etc/credstore/flashd.token or flashd.salt; the log of the service says whether it was found.",
			"only the service can read %s, so they cannot be checked from here", secret)
	}
	source, err := p.source(func(error) {})
	if err != nil {
		return wrongAs(err, "Put that right in the section credentials of flashd.yaml.")
	}
	prober, ok := source.(credentials.Prober)
	if !ok {
		return fine("from %s", source.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, p.Credentials.Server.Timeout)
	defer cancel()
	if p.serverTime, err = prober.Probe(ctx); err != nil {
		return wrong("Look at the network and at credentials.server.url; units wait until the server answers.", "%v", err)
	}
	return fine("%s answers; its token is only tried with a unit", p.Credentials.Server.URL)
}

// secretFile is the file of the secret that the chosen source needs.
func (s settings) secretFile() string {
	switch s.Credentials.Source {
	case config.FromServer:
		return s.Credentials.Server.TokenFile
	case config.FromDerive:
		return s.Credentials.Derive.SaltFile
	default:
		return ""
	}
}
