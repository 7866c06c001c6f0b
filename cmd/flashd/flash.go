package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/serialport"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

func flashCommand() *cli.Command {
	return &cli.Command{
		Name:  "flash",
		Usage: "take the one unit on a port through the whole line, once",
		Description: "A port without a reset line, as a pseudo-terminal or socket://, cannot start the unit: it then passes without\n" +
			"the boot check, and PASS says that it was not watched as it started.\n" +
			"Nothing is logged without --config or --log-format; what is worth knowing beside the result is said on standard error.",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(), imagesFlag(), releaseFlag(), credentialsFlag(), tokenFileFlag(),
			&cli.StringFlag{Name: "port", Usage: "`PORT` of the unit: /dev/ttyACM0, socket://HOST:PORT or rfc2217://HOST:PORT (required)"},
			&cli.IntFlag{Name: "baud", Usage: "raise a UART to that rate, in bits per second", DefaultText: "921600"},
			&cli.BoolFlag{Name: "no-stub", Usage: "use the chip's ROM loader only"},
			diffFlag(),
			&cli.StringFlag{Name: "unverified", Usage: "write the release to a unit in secure download mode, too, which cannot be verified; `REASON` is why, for the record. It gets no credentials and does not pass"},
			&cli.StringFlag{Name: "by", Usage: "with --unverified: `NAME` of who wants that", DefaultText: "the user who runs the command, with sudo, too"},
			&cli.BoolFlag{Name: "no-boot-check", Usage: "do not wait for the unit to start and say its Device ID"},
			logFormatFlag(),
		},
		Action: flash,
	}
}

func flash(c *cli.Context) error {
	// One unit keeps no processor busy, and where there are more, a sixth of the
	// time goes into waking threads on them.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	cfg, err := flashSettings(c)
	if err != nil {
		return err
	}
	log, err := flashLog(c, cfg)
	if err != nil {
		return err
	}
	release, err := cfg.loadRelease()
	if err != nil {
		return err
	}
	previous, err := cfg.loadPrevious(release)
	if err != nil {
		return err
	}
	var st *station.Station
	source, err := cfg.source(func(err error) { st.AwaitCredentials(heldBy(err)) })
	if err != nil {
		return err
	}
	store, err := openStore(cfg.StateDir, log)
	if err != nil {
		return err
	}
	defer store.Close()
	slot := station.Slot{Path: cfg.port, Name: filepath.Base(cfg.port)}
	st, err = station.New(station.Config{
		Name: cfg.Station, Version: version, Store: store, Release: release, Previous: previous, Releases: cfg.releaseNamed, Source: source,
		Open: func(ctx context.Context, _ hotplug.Device) (flasher.Port, error) {
			return serialport.Open(ctx, cfg.port)
		},
		Slots: []station.Slot{slot}, Flasher: cfg.flasherConfig(), BootCheck: cfg.bootCheck(), KeyEscrow: cfg.keyEscrow(), Rescue: cfg.rescue(),
		Unverified: cfg.unverified, Retries: cfg.MaxRetries, Grace: time.Second, Simulated: simulated(cfg.port), Log: log,
	})
	if err != nil {
		return err
	}
	view, err := flashOne(c.Context, st, deviceAt(cfg.port), c.App.ErrWriter)
	if err != nil {
		return err
	}
	if err := sayNotes(c.App.ErrWriter, store, view.Attempt); err != nil {
		return err
	}
	return verdict(c.App.Writer, view)
}

// sayNotes says what the record notes beside the result: without a log nobody would
// learn of it.
func sayNotes(w io.Writer, store *jobs.Store, attempt uint64) error {
	if attempt == 0 {
		return nil // none was begun
	}
	a, err := store.Attempt(attempt)
	if err != nil {
		return err
	}
	for _, note := range a.Notes {
		fmt.Fprintf(w, "flashd: %s\n", note)
	}
	return nil
}

// flashLog is silent unless a log is asked for: whoever waits at a prompt reads
// the result.
func flashLog(c *cli.Context, cfg settings) (*slog.Logger, error) {
	if _, configured := given(c, "config"); !configured && !c.IsSet("log-format") {
		return slog.New(slog.DiscardHandler), nil
	}
	handler, err := newLogHandler(c.App.ErrWriter, cfg.Log)
	return slog.New(handler), err
}

// simulated reports whether a port can only lead to a simulated unit or an
// emulator.
func simulated(port string) bool {
	return strings.HasPrefix(port, "socket://") || strings.HasPrefix(port, "rfc2217://") || strings.HasPrefix(port, "/dev/pts/")
}

// checkPort wants a port that there is. What one is to be reached at over the
// network is for who opens it.
func checkPort(port string) error {
	const hint = "flashd ports lists those there are."
	if strings.Contains(port, "://") {
		return nil
	}
	switch info, err := os.Stat(port); {
	case errors.Is(err, fs.ErrNotExist) && isAddress(port):
		return withHint(exitUsage, fmt.Errorf("--port %s: there is no such port", port),
			fmt.Sprintf("Over the network write socket://%[1]s, or rfc2217://%[1]s for what shares a serial port with its lines.", port))
	case errors.Is(err, fs.ErrNotExist):
		return withHint(exitFailure, fmt.Errorf("--port %s: there is no such port", port), hint)
	case err != nil:
		return fmt.Errorf("--port: %w", err)
	case info.Mode()&fs.ModeCharDevice == 0:
		return withHint(exitUsage, fmt.Errorf("--port %s: that is no serial port", port), hint)
	}
	return nil
}

// isAddress reports whether a port looks like HOST:PORT.
func isAddress(port string) bool {
	_, number, err := net.SplitHostPort(port)
	if err == nil {
		_, err = strconv.ParseUint(number, 10, 16)
	}
	return err == nil
}

// deviceAt describes the unit on a port, as far as USB tells.
func deviceAt(port string) hotplug.Device {
	device := hotplug.Device{Path: port, TTY: port}
	resolved, err := filepath.EvalSymlinks(port) // /dev/serial/by-id/… leads to a tty
	if err != nil {
		return device
	}
	everything := &hotplug.Sysfs{Accept: func(hotplug.ID) bool { return true }}
	devices, err := everything.List(context.Background())
	if err != nil {
		return device // no USB here: a UART of the machine's own
	}
	for _, d := range devices {
		if d.TTY == resolved {
			device.VID, device.PID = d.VID, d.PID
		}
	}
	return device
}

// flashOne runs a station for one unit until its attempt has ended.
func flashOne(ctx context.Context, st *station.Station, device hotplug.Device, progress io.Writer) (station.SlotView, error) {
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan hotplug.Event, 1)
	events <- hotplug.Event{Kind: hotplug.Attach, Device: device}
	ended := make(chan error, 1)
	go func() { ended <- st.Run(runCtx, events) }()

	bar := newBar(progress)
	watchCtx, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	var last station.SlotView
	waits := false
	for view := range st.Watch(watchCtx) {
		last = view.Slots[0]
		if waits = waits && view.Held != ""; !waits && view.Held != "" {
			waits = true
			fmt.Fprintf(progress, "flashd: %s Ctrl-C gives up.\n", view.Held)
		}
		bar.show(last)
		if last.State != station.Working && last.State != station.Empty || runCtx.Err() != nil && last.State == station.Empty {
			break
		}
	}
	bar.done()
	stop()
	err := <-ended
	return last, errors.Join(err, context.Cause(ctx))
}

// bar is the progress of one unit, for whoever looks at a terminal.
type bar struct{ *progressbar.ProgressBar }

func newBar(w io.Writer) bar {
	if !isTerminal(w) {
		return bar{}
	}
	return bar{progressbar.NewOptions(100, progressbar.OptionSetWriter(w), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(30))}
}

func (b bar) show(s station.SlotView) {
	if b.ProgressBar == nil || s.State != station.Working {
		return
	}
	b.Describe(fmt.Sprintf("%s %-12s", cmp.Or(s.Unit, "unit"), s.Phase))
	_ = b.Set(int(s.Progress * 100)) // a terminal that cannot be drawn on is no reason to stop
}

func (b bar) done() {
	if b.ProgressBar != nil {
		_ = b.Finish()
	}
}

// verdict says how it ended and chooses the exit code.
func verdict(w io.Writer, s station.SlotView) error {
	switch s.State {
	case station.Passed:
		fmt.Fprintf(w, "PASS %s %s\n", s.Unit, s.Message)
		return nil
	case station.Refused:
		return withHint(exitRefused, sayResult(s), s.Advice)
	default:
		return withHint(exitFailure, sayResult(s), s.Advice)
	}
}

// sayResult puts the result into one sentence that names the unit.
func sayResult(s station.SlotView) error {
	word := strings.ToUpper(string(s.State))
	if s.Unit == "" || strings.Contains(s.Message, s.Unit) {
		return fmt.Errorf("%s: %s", word, s.Message)
	}
	return fmt.Errorf("%s: unit %s: %s", word, s.Unit, s.Message)
}
