package flasher_test

import (
	"io"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
)

// parrot is a port at whose other end something answers each frame with
// bytes of its own, and hangs up when it has none left.
type parrot struct {
	says   [][]byte
	answer chan []byte
	closed chan struct{}
}

func (p *parrot) Read(b []byte) (int, error) {
	select {
	case said, ok := <-p.answer:
		if !ok {
			return 0, io.EOF
		}
		return copy(b, said), nil
	case <-p.closed:
		return 0, io.ErrClosedPipe
	}
}

func (p *parrot) Write(b []byte) (int, error) {
	if len(p.says) > 0 {
		p.answer <- p.says[0]
		p.says = p.says[1:]
		if len(p.says) == 0 {
			close(p.answer)
		}
	}
	return len(b), nil
}

func (p *parrot) Close() error              { close(p.closed); return nil }
func (p *parrot) SetBaud(int) error         { return nil }
func (p *parrot) SetLines(bool, bool) error { return nil }

// Whatever a chip answers, a session ends with an error and not with a panic
// or for ever.
func FuzzAnswers(f *testing.F) {
	sync := []byte("\xC0\x01\x08\x04\x00\x07\x07\x12\x20\x00\x00\x00\x00\xC0")
	magic := []byte("\xC0\x01\x0A\x04\x00\x83\x1D\xF0\x00\x00\x00\x00\x00\xC0")
	f.Add(sync, magic, magic)
	f.Add(sync, []byte("\xC0\x01\x0A\x02\x00"), []byte("boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		synctest.Test(t, func(t *testing.T) {
			port := &parrot{says: [][]byte{a, b, c, b, c, a}, answer: make(chan []byte, 8), closed: make(chan struct{})}
			d, err := flasher.Open(t.Context(), port, flasher.Options{Baud: 921600})
			if err == nil {
				d.Close()
				t.Error("six answers made a session")
			}
		})
	})
}
