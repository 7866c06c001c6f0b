package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// scenario is one way to flash a unit.
type scenario struct {
	name   string
	wiring espsim.Wiring
	baud   int
	dirty  bool // the flash is full of something else
	parts  func(*release) []segment
	// apart: what esptool needs several calls for (read-mac, write-flash of
	// the firmware, write-flash of the NVS).
	apart bool
}

func firmwareOnly(r *release) []segment { return r.firmware }
func nvsOnly(r *release) []segment      { return []segment{r.nvs} }
func everything(r *release) []segment {
	return append(r.firmware[:len(r.firmware):len(r.firmware)], r.nvs)
}

var scenarios = []scenario{
	{name: "921600, blank", baud: 921600, parts: firmwareOnly},
	{name: "921600, dirty", baud: 921600, dirty: true, parts: firmwareOnly},
	{name: "2 M, blank", baud: 2_000_000, parts: firmwareOnly},
	{name: "2 M, dirty", baud: 2_000_000, dirty: true, parts: firmwareOnly},
	{name: "USB, blank", wiring: espsim.USBSerialJTAG, baud: 115200, parts: firmwareOnly},
	{name: "USB, dirty", wiring: espsim.USBSerialJTAG, baud: 115200, dirty: true, parts: firmwareOnly},
	{name: "whole unit, 921600, dirty", baud: 921600, dirty: true, parts: everything, apart: true},
	{name: "NVS only, 921600", baud: 921600, dirty: true, parts: nvsOnly},
	{name: "NVS only, USB", wiring: espsim.USBSerialJTAG, baud: 115200, dirty: true, parts: nvsOnly},
}

// bound is the time in seconds that no client can do without: what the line
// takes for the compressed bytes, or the flash for erasing and programming.
func (s scenario) bound(r *release) float64 {
	timing := espsim.Realistic(s.wiring)
	var line, flash time.Duration
	for _, p := range s.parts(r) {
		if timing.USBRate > 0 {
			line += time.Duration(p.wire) * time.Second / time.Duration(timing.USBRate)
		} else {
			line += time.Duration(p.wire) * 10 * time.Second / time.Duration(s.baud)
		}
		flash += time.Duration((p.size+255)/256) * timing.ProgramPage
		if s.dirty {
			const block, sector = 64 << 10, 4 << 10
			for left := p.size; left > 0; {
				if p.Offset%block == 0 && left >= block {
					left, flash = left-block, flash+timing.EraseBlock
				} else {
					left, flash = left-sector, flash+timing.EraseSector
				}
			}
		}
	}
	return max(line, flash).Seconds()
}

// measurement is what a client took.
type measurement struct {
	seconds  float64 // from the start of its process to its end
	cpu      float64 // seconds
	memory   float64 // MB, the most that was resident
	bytes    int64   // on the line, both ways
	commands int
	slowest  float64 // the slowest of several units, in seconds
}

// unit makes the simulated unit of s.
func (s scenario) unit() *espsim.Chip {
	flash := espsim.NewFlash(8 << 20)
	if s.dirty {
		old := make([]byte, 2<<20)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range old {
			old[i] = byte(rng.Uint32())
		}
		if err := flash.Program(0, old); err != nil {
			panic(err) // it is large enough
		}
	}
	return espsim.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: [6]byte{0x7C, 0xDF, 0xA1, 0, 0, 1},
		Flash: flash, Wiring: s.wiring, Timing: espsim.Realistic(s.wiring),
	})
}

// fastest has c flash one unit, several times over.
func (s scenario) fastest(ctx context.Context, r *release, c client, times int) (best measurement, err error) {
	for i := range times {
		m, err := s.runUnits(ctx, r, c, 1)
		if err != nil {
			return m, err
		}
		if i == 0 || m.seconds < best.seconds {
			best = m
		}
	}
	return best, nil
}

// runUnits has one process of c flash n units at once.
func (s scenario) runUnits(ctx context.Context, r *release, c client, n int) (measurement, error) {
	ctx, cancel := context.WithCancel(ctx)
	var served sync.WaitGroup
	defer served.Wait()
	defer cancel()
	var ports []string
	chips := make([]*espsim.Chip, n)
	for i := range chips {
		chips[i] = s.unit()
		defer chips[i].Close()
		port, serve, err := open(ctx, chips[i], c.remote)
		if err != nil {
			return measurement{}, err
		}
		ports = append(ports, port)
		served.Go(func() { _ = serve() })
	}
	m, err := c.flash(ctx, r, s, ports)
	for _, chip := range chips {
		stats := chip.Stats()
		m.bytes += stats.In + stats.Out
		m.commands += stats.Commands
	}
	return m, err
}

// open gives chip a port by which a client can reach it.
func open(ctx context.Context, chip *espsim.Chip, remote bool) (name string, serve func() error, err error) {
	if remote {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		return l.Addr().String(), func() error { return chip.ServeRFC2217(ctx, l) }, nil
	}
	terminal, err := espsim.OpenPTY()
	if err != nil {
		return "", nil, err
	}
	return terminal.Name(), func() error { return chip.ServePTY(ctx, terminal) }, nil
}
