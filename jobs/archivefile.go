package jobs

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// archiveSuffix ends the names of archives: lines of JSON, compressed with zstd.
const archiveSuffix = ".jsonl.zst"

// maxLine is how long a line of an archive can be, in bytes: an attempt with all
// of its sentences has a tenth of that.
const maxLine = 1 << 20

// ArchivedAttempts yields the attempts of an archive, the one started first first.
// An error ends it.
func ArchivedAttempts(path string) iter.Seq2[Attempt, error] {
	return func(yield func(Attempt, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Attempt{}, err)
			return
		}
		defer f.Close()
		for a, err := range readArchive(f) {
			if !yield(a, err) {
				return
			}
		}
	}
}

// readArchive yields the attempts of the archive that is read from r.
func readArchive(r io.Reader) iter.Seq2[Attempt, error] {
	return func(yield func(Attempt, error) bool) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			yield(Attempt{}, err)
			return
		}
		defer z.Close()
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, maxLine)
		for n := 1; lines.Scan(); n++ {
			a, err := decodeLine(lines.Bytes())
			if err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Attempt{}, fmt.Errorf("%w (%w)", ErrArchive, err))
		}
	}
}

func decodeLine(line []byte) (Attempt, error) {
	var a Attempt
	if err := json.Unmarshal(line, &a); err != nil {
		return Attempt{}, fmt.Errorf("%w (%w)", ErrArchive, err)
	}
	if a.ID == 0 || a.Open() {
		return Attempt{}, fmt.Errorf("%w (no finished attempt)", ErrArchive)
	}
	return a, nil
}

// writeArchiveFile writes what can be archived, and returns how many attempts that
// is and the SHA-256 of the file.
func (s *Store) writeArchiveFile(ctx context.Context, path string, before time.Time) (n int, digest string, err error) {
	hash := sha256.New()
	err = writeFile(path, func(w io.Writer) error {
		z, err := zstd.NewWriter(io.MultiWriter(w, hash), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		lines := json.NewEncoder(z)
		lines.SetEscapeHTML(false)
		for page := (archivablePage{from: []byte{}}); page.from != nil; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if page, err = s.archivable(page.from, before, pageRecords); err != nil {
				return err
			}
			for _, a := range page.attempts {
				if err := lines.Encode(a); err != nil {
					return err
				}
				n++
			}
		}
		return z.Close()
	})
	return n, hex.EncodeToString(hash.Sum(nil)), err
}

// archivablePage is some of the attempts that can be archived, and the key in
// attempts-by-start from where on there may be more; nil if there are none.
type archivablePage struct {
	attempts []Attempt
	from     []byte
}

// archivable looks for up to limit finished attempts started before a moment.
func (s *Store) archivable(from []byte, before time.Time, limit int) (page archivablePage, err error) {
	end := startKey("", before, 0)
	err = s.view(func(b books) error {
		c := b.byStart.Cursor()
		for k, _ := c.Seek(from); k != nil && bytes.Compare(k, end) < 0; k, _ = c.Next() {
			if len(page.attempts) == limit {
				page.from = bytes.Clone(k)
				return nil
			}
			a, err := b.attempt(idOf(k))
			if err != nil {
				return fmt.Errorf("attempt %d: %w", idOf(k), err)
			}
			if !a.Open() {
				page.attempts = append(page.attempts, a)
			}
		}
		return nil
	})
	return page, err
}

// checkArchiveFile reads the file of an archive and compares it with what was
// written.
func checkArchiveFile(path string, r Archive) error {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (%w)", ErrArchive, err)
	case err != nil:
		return err
	}
	defer f.Close()
	hash, n := sha256.New(), 0
	for _, err := range readArchive(io.TeeReader(f, hash)) {
		if err != nil {
			return err
		}
		n++
	}
	if _, err := io.Copy(hash, f); err != nil { // what comes after the last frame
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != r.SHA256 || n != r.Attempts {
		return fmt.Errorf("%w (%d attempts, want %d)", ErrArchive, n, r.Attempts)
	}
	return nil
}
