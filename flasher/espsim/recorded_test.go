package espsim_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

// session is what was said to a real loader, and what it said.
type session struct {
	name    string
	asked   [][]byte // bytes for the line
	answers [][]string
	flash   string // SHA-256 of its 4 MiB afterwards, in hex
}

// TestAnswersAsRecorded plays back what was sent to the mask ROMs of an ESP32, an
// ESP32-S3 and an ESP32-C3, and to the stub on each, and expects the very bytes that
// they answered, and the flash that they left.
func TestAnswersAsRecorded(t *testing.T) {
	rom := func(c *client) { c.sync(); c.sync() }
	stub := (*client).startStub
	for _, r := range []struct {
		loader   string
		model    *espsim.Model
		security espsim.Security
		start    func(*client)
	}{
		{"rom", espsim.ESP32, espsim.Security{}, rom},
		{"rom", espsim.ESP32S3, espsim.Security{}, rom},
		{"rom", espsim.ESP32C3, espsim.Security{}, rom},
		{"secure-download", espsim.ESP32S3, espsim.Security{SecureDownload: true}, rom},
		{"secure-download", espsim.ESP32C3, espsim.Security{SecureDownload: true}, rom},
		{"secure-boot", espsim.ESP32S3, espsim.Security{SecureBoot: true}, rom},
		{"secure-boot", espsim.ESP32C3, espsim.Security{SecureBoot: true}, rom},
		{"flash-encryption", espsim.ESP32S3, espsim.Security{FlashEncryption: true}, rom},
		{"flash-encryption", espsim.ESP32C3, espsim.Security{FlashEncryption: true}, rom},
		{"stub", espsim.ESP32, espsim.Security{}, stub},
		{"stub", espsim.ESP32S3, espsim.Security{}, stub},
		{"stub", espsim.ESP32C3, espsim.Security{}, stub},
	} {
		for _, s := range recorded(t, "testdata/"+r.loader+"-"+r.model.Name+".txt") {
			t.Run(r.loader+"/"+r.model.Name+"/"+s.name, func(t *testing.T) {
				s.replay(t, espsim.Config{Model: r.model, Security: r.security}, r.start)
			})
		}
	}
}

func (s *session) replay(t *testing.T, cfg espsim.Config, start func(*client)) {
	cfg.Flash = espsim.NewFlash(4 << 20)
	inBubble(t, cfg, func(t *testing.T, c *client) {
		start(c)
		for i, asked := range s.asked {
			c.write(asked)
			var got []string
			for f := c.next(50 * ms); f != nil; f = c.next(50 * ms) {
				got = append(got, hex.EncodeToString(f))
			}
			if diff := cmp.Diff(s.answers[i], got); diff != "" {
				t.Fatalf("step %d, %x: answers (-recorded +got):\n%s", i+1, asked[:min(40, len(asked))], diff)
			}
		}
	})
	if sum := sha256.Sum256(cfg.Flash.Bytes()); hex.EncodeToString(sum[:]) != s.flash {
		t.Error("the flash is not as the chip's was")
	}
}

// recorded reads a file of sessions; its first lines explain it.
func recorded(t *testing.T, path string) (all []*session) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "==":
			all = append(all, &session{name: rest})
			continue
		case "", "#":
			continue
		}
		s := all[len(all)-1]
		switch kind {
		case ">":
			s.ask(slip.Append(nil, runs(t, rest)))
		case "~":
			s.ask(runs(t, rest))
		case "<":
			s.answered(t, rest)
		case "flash":
			s.flash = rest
		default:
			t.Fatalf("%s: line %q", path, lines.Text())
		}
	}
	return all
}

func (s *session) ask(b []byte) {
	s.asked = append(s.asked, b)
	s.answers = append(s.answers, nil)
}

// answered reads a frame and how often it came.
func (s *session) answered(t *testing.T, text string) {
	t.Helper()
	text, times, many := strings.Cut(text, " *")
	n := 1
	if many {
		n = number(t, times)
	}
	last := &s.answers[len(s.answers)-1]
	for range n {
		*last = append(*last, hex.EncodeToString(runs(t, text)))
	}
}

// runs reads bytes in hex, where 41x9 is nine times the byte 41.
func runs(t *testing.T, text string) (b []byte) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		digits, times, many := strings.Cut(word, "x")
		piece, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		if many {
			n = number(t, times)
		}
		b = append(b, bytes.Repeat(piece, n)...)
	}
	return b
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
