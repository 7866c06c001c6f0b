package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/serialport"
	"tinygo.org/x/espflasher/pkg/espflasher"
)

// inProcess are the clients that are part of this program.
var inProcess = map[string]func(job) ([]float64, error){"flashd": flashd, "espflasher": peer}

// flashd does as the station does: everything that is the same for all units
// once, then all units at the same time.
func flashd(j job) ([]float64, error) {
	var parts []*flasher.Packed
	for _, s := range j.Segments {
		data, err := os.ReadFile(s.File)
		if err != nil {
			return nil, err
		}
		deflated, _ := os.ReadFile(s.File + ".zlib") // what is a unit's own has none
		p, err := flasher.Repack(s.Name, s.Offset, data, deflated)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	opts := flasher.Options{Baud: j.Baud}
	if j.USB {
		opts.Wiring = flasher.USBSerialJTAG
	}
	var wait sync.WaitGroup
	took, failed := make([]float64, len(j.Ports)), make([]error, len(j.Ports))
	for i, port := range j.Ports {
		wait.Go(func() {
			start := time.Now()
			failed[i] = flashUnit(context.Background(), port, opts, parts)
			took[i] = time.Since(start).Seconds()
		})
	}
	wait.Wait()
	return took, errors.Join(failed...)
}

// flashUnit does what the station does with one unit. A few sectors alone are
// updated through the ROM loader.
func flashUnit(ctx context.Context, target string, opts flasher.Options, parts []*flasher.Packed) error {
	port, err := serialport.Open(ctx, target)
	if err != nil {
		return err
	}
	d, err := flasher.Connect(ctx, port, opts)
	if err != nil {
		return err
	}
	defer d.Close()
	ready, write := d.StartStub, d.WriteFlash
	if len(parts) == 1 {
		ready, write = d.RaiseBaud, d.UpdateFlash
	}
	for _, step := range []func(context.Context) error{d.Identify, ready, d.AttachFlash} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := write(ctx, p, nil); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := d.Verify(ctx, p); err != nil {
			return err
		}
	}
	return d.Reboot(ctx)
}

// peer is tinygo.org/x/espflasher.
func peer(j job) ([]float64, error) {
	opts := espflasher.DefaultOptions()
	opts.FlashBaudRate = j.Baud
	opts.ResetMode = espflasher.ResetNoReset // a pseudo terminal has no lines
	opts.FlashSize = "8MB"
	start := time.Now()
	f, err := espflasher.New(j.Ports[0], opts)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var parts []espflasher.ImagePart
	for _, s := range j.Segments {
		data, err := os.ReadFile(s.File)
		if err != nil {
			return nil, err
		}
		parts = append(parts, espflasher.ImagePart{Data: data, Offset: s.Offset})
	}
	if err := f.FlashImages(parts, nil); err != nil {
		return nil, err
	}
	f.Reset()
	return []float64{time.Since(start).Seconds()}, nil
}
