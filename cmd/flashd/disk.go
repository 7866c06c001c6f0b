package main

import (
	"errors"
	"io/fs"
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// freeBytes returns how much more flashd, which is not root, can store on the
// disk that holds path.
func freeBytes(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// freeSpace is the metric of the disk with the record. It is NaN while the disk
// cannot be asked.
func freeSpace(stateDir string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashd_state_free_bytes", Help: "Free space on the disk that holds the record, in bytes.",
	}, func() float64 {
		free, err := freeBytes(stateDir)
		if err != nil {
			return math.NaN()
		}
		return float64(free)
	})
}

// ownUser is what helps where only flashd's own user may do something.
const ownUser = "Run the command as flashd's own user: sudo -u flashd flashd ..."

// diskError says what to do about a disk that does not take what is written.
func diskError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return withHint(exitFailure, err, "The disk is full: make room on it. flashd jobs archive moves old attempts elsewhere.")
	case errors.Is(err, unix.EROFS):
		return withHint(exitFailure, err, "The disk can only be read: mount it for writing, or name another place.")
	case errors.Is(err, fs.ErrPermission):
		return withHint(exitFailure, err, ownUser)
	default:
		return err
	}
}

// newFileError is diskError for a file that is named on the command line.
func newFileError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(exitFailure, err, "Make its folder first, or name a file in another one.")
	}
	return diskError(err)
}
