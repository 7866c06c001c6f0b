package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// client is something that flashes chips.
type client struct {
	name   string
	remote bool // it wants RFC 2217
	// calls are the processes that it takes, one after the other.
	calls func(r *release, s scenario, ports []string) ([]*exec.Cmd, error)
}

// flash runs the processes of c and measures them.
func (c client) flash(ctx context.Context, r *release, s scenario, ports []string) (m measurement, err error) {
	calls, err := c.calls(r, s, ports)
	if err != nil {
		return m, err
	}
	start := time.Now()
	for _, call := range calls {
		var said, result bytes.Buffer
		call.Stdout, call.Stderr = &result, &said
		if err := call.Start(); err != nil {
			return m, err
		}
		stop := context.AfterFunc(ctx, func() { _ = call.Process.Kill() })
		err := call.Wait()
		stop()
		if err != nil {
			return m, fmt.Errorf("%w\n%s%s", err, result.Bytes(), said.Bytes())
		}
		state := call.ProcessState
		m.cpu += (state.UserTime() + state.SystemTime()).Seconds()
		m.memory = max(m.memory, float64(state.SysUsage().(*syscall.Rusage).Maxrss)/1024)
		var units []float64
		if json.Unmarshal(result.Bytes(), &units) == nil && len(units) > 0 {
			m.slowest = slices.Max(units)
		}
	}
	m.seconds = time.Since(start).Seconds()
	return m, nil
}

// job is what a client in this program is to do.
type job struct {
	Ports    []string
	USB      bool
	Baud     int
	Segments []segment
}

// own is this program, run as one of inProcess.
func own(name string) client {
	return client{name: name, calls: func(r *release, s scenario, ports []string) ([]*exec.Cmd, error) {
		data, err := json.Marshal(job{Ports: ports, USB: s.wiring == espsim.USBSerialJTAG, Baud: s.baud, Segments: s.parts(r)})
		if err != nil {
			return nil, err
		}
		path := filepath.Join(r.dir, "job.json")
		return []*exec.Cmd{exec.Command("/proc/self/exe", name, path)}, os.WriteFile(path, data, 0o600)
	}}
}

// runJob is a client's process. It prints how long each unit took, in seconds.
func runJob(path string, flash func(job) ([]float64, error)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	units, err := flash(j)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(units)
}

// esptoolJS is Espressif's flasher for browsers, in Node.
func esptoolJS(library string) client {
	return client{name: "esptool-js 0.7.0", remote: true, calls: func(r *release, s scenario, ports []string) ([]*exec.Cmd, error) {
		usb := "uart"
		if s.wiring == espsim.USBSerialJTAG {
			usb = "usb"
		}
		args := []string{"esptooljs.mjs", library, ports[0], usb, strconv.Itoa(s.baud)}
		for _, p := range s.parts(r) {
			args = append(args, fmt.Sprintf("%#x=%s", p.Offset, p.File))
		}
		return []*exec.Cmd{exec.Command("node", args...)}, nil
	}}
}

// esptool is Espressif's own, from a checkout. It takes three calls where
// flashd has one session.
func esptool(name, dir string) client {
	return client{name: name, calls: func(r *release, s scenario, ports []string) ([]*exec.Cmd, error) {
		call := func(args ...string) *exec.Cmd {
			args = append([]string{"-m", "esptool", "--chip", "auto", "--port", ports[0], "--baud", strconv.Itoa(s.baud)}, args...)
			cmd := exec.Command("/usr/bin/python3", args...)
			cmd.Dir = dir
			return cmd
		}
		write := func(parts []segment) *exec.Cmd {
			args := []string{"write_flash", "-z", "--flash_size", "keep"}
			for _, p := range parts {
				args = append(args, fmt.Sprintf("%#x", p.Offset), p.File)
			}
			if strings.Contains(name, "5.") { // it says the words another way
				args[0], args[2] = "write-flash", "--flash-size"
			}
			return call(args...)
		}
		if !s.apart {
			return []*exec.Cmd{write(s.parts(r))}, nil
		}
		readMAC := "read_mac"
		if strings.Contains(name, "5.") {
			readMAC = "read-mac"
		}
		return []*exec.Cmd{call(readMAC), write(r.firmware), write([]segment{r.nvs})}, nil
	}}
}
