package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrArchive is returned when an archive that attempts are being moved to is not
// as it was written.
var ErrArchive = errors.New("the archive is not as flashd wrote it: bring the file back")

// Archive is a file that attempts were moved to.
type Archive struct {
	ID       uint64    `json:"id"`
	File     string    `json:"file"`               // its name
	Before   time.Time `json:"before"`             // its attempts were started before then
	Begun    time.Time `json:"begun"`              // when it was
	Attempts int       `json:"attempts,omitempty"` // in the file; 0 until it is whole
	SHA256   string    `json:"sha256,omitempty"`   // of the file, hex; "" until it is whole
	Deleted  int       `json:"deleted,omitempty"`  // how many of them were deleted from the store so far
	Nameless int       `json:"nameless,omitempty"` // how many of those were of no unit
	Done     time.Time `json:"done,omitzero"`      // when the last one was deleted; zero until then
}

// Archive moves the finished attempts that were started before a moment into a
// file in dir: lines of JSON, compressed with zstd. Units and reworks stay, so
// that a unit that has passed is known for ever. It returns the archives it has
// filled, none if there was nothing to move.
//
// A file is on disk, was read again, and is known to the store before the first
// attempt is deleted, and each one is deleted only if the file has it exactly as
// it is in the store. So a crash at any moment loses nothing; the next call goes
// on where it was. Attempts are deleted in small transactions, which writers of
// the line need not wait for. ctx is asked between all steps.
func (s *Store) Archive(ctx context.Context, dir string, before time.Time) (filled []Archive, err error) {
	unfinished, err := s.unfinishedArchives()
	for _, r := range unfinished {
		if err == nil {
			r, err = s.fill(ctx, dir, r)
			filled = append(filled, r)
		}
	}
	if err == nil {
		var r Archive
		if r, err = s.beginArchive(dir, before); err == nil && r.ID != 0 {
			r, err = s.fill(ctx, dir, r)
			filled = append(filled, r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("archive attempts: %w", err)
	}
	return filled, nil
}

func (s *Store) unfinishedArchives() (unfinished []Archive, err error) {
	err = s.view(func(b books) error {
		return each(b.archives, func(_ []byte, r Archive) error {
			if r.Done.IsZero() {
				unfinished = append(unfinished, r)
			}
			return nil
		})
	})
	return unfinished, err
}

// beginArchive records the file before it is there, so that what a crash leaves
// of it belongs to somebody. The archive has no ID if there is nothing to move.
func (s *Store) beginArchive(dir string, before time.Time) (r Archive, err error) {
	before = moment(before)
	oldest, err := s.archivable(nil, before, 1)
	if err != nil || len(oldest.attempts) == 0 {
		return r, err
	}
	err = s.update(func(b books) error {
		id, err := b.archives.NextSequence()
		if err != nil {
			return err
		}
		r = Archive{ID: id, Before: before, Begun: moment(time.Time{})}
		if r.File, err = freeName(dir, before); err != nil {
			return err
		}
		return b.putArchive(r)
	})
	return r, err
}

// freeName is a name for an archive that no file in dir has.
func freeName(dir string, before time.Time) (string, error) {
	base := "attempts-before-" + before.Format("20060102T150405Z")
	for n := 1; ; n++ {
		name := base + archiveSuffix
		if n > 1 {
			name = fmt.Sprintf("%s-%d%s", base, n, archiveSuffix)
		}
		_, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil
		case err != nil:
			return "", err
		}
	}
}

// fill takes r from where it is to its end.
func (s *Store) fill(ctx context.Context, dir string, r Archive) (_ Archive, err error) {
	path := filepath.Join(dir, r.File)
	if r.Deleted == 0 { // what the file has, the store still has
		if r, err = s.writeArchive(ctx, path, r); err != nil {
			return r, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if r, err = s.emptyInto(ctx, path, r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// writeArchive writes the file, reads it again, and records that it is whole.
func (s *Store) writeArchive(ctx context.Context, path string, r Archive) (_ Archive, err error) {
	if r.Attempts, r.SHA256, err = s.writeArchiveFile(ctx, path, r.Before); err != nil {
		return r, err
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if err := checkArchiveFile(path, r); err != nil {
		return r, err
	}
	return r, s.update(func(b books) error { return b.putArchive(r) })
}

// batchOf is how many attempts are deleted in one transaction: some milliseconds.
const batchOf = 200

// emptyInto deletes from the store what the archive has.
func (s *Store) emptyInto(ctx context.Context, path string, r Archive) (Archive, error) {
	if err := checkArchiveFile(path, r); err != nil {
		return r, err
	}
	var batch []Attempt
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		after := r
		err := s.update(func(b books) error {
			after = r
			for _, a := range batch {
				if err := b.moved(a, &after); err != nil {
					return fmt.Errorf("attempt %d: %w", a.ID, err)
				}
			}
			return b.putArchive(after)
		})
		if err == nil {
			r, batch = after, batch[:0]
		}
		return err
	}
	for a, err := range ArchivedAttempts(path) {
		if err != nil {
			return r, err
		}
		if batch = append(batch, a); len(batch) == batchOf {
			if err := flush(); err != nil {
				return r, err
			}
		}
	}
	if err := flush(); err != nil {
		return r, err
	}
	r.Done = moment(time.Time{})
	return r, s.update(func(b books) error { return b.putArchive(r) })
}

// moved deletes attempt a, which archive r has, unless that is done already.
func (b books) moved(a Attempt, r *Archive) error {
	kept, err := b.attempt(a.ID)
	switch {
	case errors.Is(err, ErrNoAttempt):
		return nil
	case err != nil:
		return err
	}
	if same, err := sameRecord(a, kept); err != nil || !same {
		return errors.Join(err, ErrArchive)
	}
	r.Deleted++
	r.Nameless += count(a.Unit == "")
	if a.Unit != "" {
		u, err := b.unit(a.Unit)
		if err != nil {
			return err
		}
		u.Archived.add(a)
		if err := errors.Join(b.putUnit(u), b.byUnit.Delete(startKey(a.Unit, a.Start, a.ID))); err != nil {
			return err
		}
	}
	return errors.Join(b.unindex(a), b.byStart.Delete(startKey("", a.Start, a.ID)), b.attempts.Delete(idKey(a.ID)))
}

func sameRecord(x, y Attempt) (bool, error) {
	one, err1 := json.Marshal(x)
	two, err2 := json.Marshal(y)
	return bytes.Equal(one, two), errors.Join(err1, err2)
}

func (b books) putArchive(r Archive) error { return put(b.archives, idKey(r.ID), r) }
