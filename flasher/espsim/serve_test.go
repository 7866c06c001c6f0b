package espsim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

var syncRequest = request(0x08, append([]byte{7, 7, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...), 0)

// exchange writes a request and returns the value of the first answer.
func exchange(rw io.ReadWriter, request []byte) (value uint32, err error) {
	if _, err := rw.Write(request); err != nil {
		return 0, err
	}
	var d slip.Decoder
	var answers [][]byte
	buf := make([]byte, 1024)
	for len(answers) == 0 {
		n, err := rw.Read(buf)
		if err != nil {
			return 0, err
		}
		d.Write(buf[:n], func(p []byte) { answers = append(answers, bytes.Clone(p)) })
	}
	return parse(answers[0]).value, nil
}

// TestServe: each client finds the ROM loader, whatever the one before left.
func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC, Flash: unit(t, espsim.ESP32S3, nil)})
		defer chip.Close()
		time.Sleep(time.Second)
		if !chip.BootedApp() {
			t.Fatalf("the chip is in %v", chip.State())
		}
		for range 2 {
			host, remote := net.Pipe()
			served := make(chan error)
			go func() { served <- chip.Serve(t.Context(), remote) }()
			if value, err := exchange(host, syncRequest); err != nil || value != 0x20120707 {
				t.Fatalf("SYNC: value %#x, %v", value, err)
			}
			go func() { _, _ = io.Copy(io.Discard, host) }()
			// Leave by watchdog: the pin was let go, so the application boots.
			w := espsim.ESP32S3.Watchdog
			leave := request(0x09, words(w.Protect, 0x50D83AA1, 0xFFFFFFFF, 0, w.Config1, 2000, 0xFFFFFFFF, 0,
				w.Config0, 0xD0000102, 0xFFFFFFFF, 0), 0)
			if _, err := host.Write(leave); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if !chip.BootedApp() {
				t.Errorf("after the watchdog's reset the chip is in %v", chip.State())
			}
			host.Close()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	})
}

// TestServeNoticesUnplug: also while a client does not read what it asked for.
func TestServeNoticesUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{Model: espsim.ESP32S3})
		defer chip.Close()
		host, remote := net.Pipe()
		defer host.Close()
		served := make(chan error, 1)
		go func() { served <- chip.Serve(t.Context(), remote) }()
		if _, err := host.Write(syncRequest); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the answers wait for a reader
		chip.Unplug()
		select {
		case err := <-served:
			if !errors.Is(err, espsim.ErrDetached) {
				t.Errorf("Serve: %v, want ErrDetached", err)
			}
		case <-time.After(time.Minute):
			t.Error("Serve goes on without its unit")
			host.Close()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	})
}

func TestServeEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*espsim.Chip, context.CancelFunc)
		want error
	}{
		{"with its context", func(_ *espsim.Chip, cancel context.CancelFunc) { cancel() }, nil},
		{"with the unit", func(c *espsim.Chip, _ context.CancelFunc) { c.Unplug() }, espsim.ErrDetached},
		{"with the chip", func(c *espsim.Chip, _ context.CancelFunc) { c.Close() }, espsim.ErrDetached},
	} {
		synctest.Test(t, func(t *testing.T) {
			chip := espsim.New(espsim.Config{Model: espsim.ESP32S3})
			defer chip.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			host, remote := net.Pipe()
			served := make(chan error)
			go func() { served <- chip.Serve(ctx, remote) }()
			closed := make(chan error)
			go func() {
				_, err := io.Copy(io.Discard, host) // to the end of the connection
				closed <- err
			}()
			synctest.Wait()
			tc.end(chip, cancel)
			if err := <-served; !errors.Is(err, tc.want) {
				t.Errorf("%s: Serve returned %v, want %v", tc.name, err, tc.want)
			}
			if err := <-closed; err != nil {
				t.Errorf("%s: the client's connection ends with %v", tc.name, err)
			}
		})
	}
}

// TestServeUnplugged: there is nothing to serve.
func TestServeUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{Model: espsim.ESP32S3})
		defer chip.Close()
		chip.Unplug()
		_, remote := net.Pipe()
		if err := chip.Serve(t.Context(), remote); !errors.Is(err, espsim.ErrDetached) {
			t.Errorf("Serve of an unplugged unit: %v, want ErrDetached", err)
		}
	})
}

// TestPTY is a client that opens the terminal, twice.
func TestPTY(t *testing.T) {
	terminal, err := espsim.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	chip := espsim.New(espsim.Config{Model: espsim.ESP32C3, MAC: testMAC})
	defer chip.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- chip.ServePTY(ctx, terminal) }()
	for range 2 {
		tty, err := os.OpenFile(terminal.Name(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := tty.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if value, err := exchange(tty, syncRequest); err != nil || value != 0x20120707 {
			t.Fatalf("SYNC: value %#x, %v", value, err)
		}
		tty.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("ServePTY: %v", err)
	}
}

// TestRFC2217 sends what telnet must escape, sets the lines and the rate.
func TestRFC2217(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	chip := espsim.New(espsim.Config{Model: espsim.ESP32, MAC: [6]byte{0, 0, 0xFF, 0xFF, 0xFF, 0xFF}})
	defer chip.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- chip.ServeRFC2217(ctx, listener) }()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	expect := func(send, answer []byte) {
		t.Helper()
		if _, err := conn.Write(send); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for b := make([]byte, 1); !bytes.HasSuffix(got, answer); got = append(got, b[0]) { // behind the boot log
			if _, err := conn.Read(b); err != nil {
				t.Fatalf("no %x in answer to %x, but %q: %v", answer, send, got, err)
			}
		}
	}
	control := func(value byte) {
		t.Helper()
		expect([]byte{255, 250, 44, 5, value, 255, 240}, []byte{255, 250, 44, 105, value, 255, 240})
	}
	modem := []byte{255, 250, 44, 107, 0, 255, 240} // no CTS, DSR, RI or CD
	expect([]byte{255, 251, 44}, append([]byte{255, 253, 44}, modem...))
	expect([]byte{255, 250, 44, 7, 0, 255, 240}, modem)
	expect([]byte{255, 251, 31}, []byte{255, 254, 31}) // no window size
	expect([]byte{255, 250, 44, 1, 0, 1, 194, 0, 255, 240}, []byte{255, 250, 44, 101, 0, 1, 194, 0, 255, 240})
	// Reset into download mode by way of both lines asserted, line by line.
	control(9)
	control(11)
	control(8)
	control(12)
	expect(nil, []byte("waiting for download\r\n"))
	control(9)
	expect(syncRequest, []byte{0x07, 0x12, 0x20})
	// The efuse word FFFFFFFF, with each FF doubled.
	expect(request(0x0A, words(0x3FF5A004), 0), bytes.Repeat([]byte{255}, 8))

	cancel()
	if err := <-served; err != nil {
		t.Errorf("ServeRFC2217: %v", err)
	}
}
