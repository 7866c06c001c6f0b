package serialport

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"hoptech.co.nz/flashd/flasher"
)

// Open opens target and returns it as a port at 115200 baud, 8N1, without flow
// control. A target is one of
//
//	/dev/ttyACM0            a tty or pseudo-terminal
//	socket://HOST:PORT      bytes over TCP; no modem lines, any baud
//	rfc2217://HOST:PORT     a serial port shared over TCP, with lines and baud
//
// The context bounds the opening only. A port that somebody holds gives
// ErrBusy; one that is not there gives fs.ErrNotExist.
func Open(ctx context.Context, target string) (flasher.Port, error) {
	scheme, _, isURL := strings.Cut(target, "://")
	if !isURL {
		return openTTY(ctx, target)
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", target, err)
	}
	if u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("port %q: write %s://HOST:PORT", target, scheme)
	}
	switch scheme {
	case "socket":
		return openSocket(ctx, u)
	case "rfc2217":
		return openRFC2217(ctx, u)
	default:
		return nil, fmt.Errorf("port %q: unknown scheme %q, use a device path, socket:// or rfc2217://", target, scheme)
	}
}
