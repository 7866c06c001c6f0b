package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// defaultTimeout is the time one request may take.
	defaultTimeout = 10 * time.Second
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 64 << 10
	// The time between two tries doubles from firstWait to longestWait, each one
	// half longer or shorter by chance so that slots do not ask in step.
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
	// longestRetryAfter bounds what a server can ask for.
	longestRetryAfter = 5 * time.Minute
)

// ServerConfig says how to reach the config server.
type ServerConfig struct {
	BaseURL        string          // such as https://config.example.com/api; "/provision/DEVICE_ID" is added
	Token          Secret          // the bearer token
	CAFile         string          // PEM certificates to trust instead of the system's
	Timeout        time.Duration   // of one request; 10 s if zero
	AllowPlainHTTP bool            // to a host other than this one; the token and the passwords are then readable on the way
	OnRetry        func(err error) // called, by any goroutine, each time the server is not available and is waited for
}

type server struct {
	base      *url.URL
	client    *http.Client
	authorize func(*http.Request) // has the token: fmt cannot look into a function
	onRetry   func(error)
}

// NewServer returns a source that asks a config server:
// POST {base}/provision/{device_id} with a bearer token.
//
// An answer of 401 or 403 is ErrUnauthorized and 404 is ErrUnknownUnit. While
// the network fails or the server answers 408, 425, 429 or 5xx, Fetch tries
// again with growing pauses, or as Retry-After says, until its context ends; it
// then returns ErrUnavailable. Every other answer is ErrBadAnswer, a redirect
// too: the token goes to no other place than BaseURL. Proxies of the environment
// are used, but for plain HTTP, which they could read.
func NewServer(c ServerConfig) (Source, error) {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	base, err := parseBase(c)
	if err != nil {
		return nil, fmt.Errorf("config server: %w", err)
	}
	if err := CheckToken(c.Token); err != nil {
		return nil, fmt.Errorf("config server: %w", err)
	}
	transport, err := newTransport(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("config server: %w", err)
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s := &server{base: base, client: client, onRetry: c.OnRetry}
	s.authorize = func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+c.Token.Reveal()) }
	if s.onRetry == nil {
		s.onRetry = func(error) {}
	}
	return s, nil
}

func (*server) Name() string { return "server" }

func (s *server) Fetch(ctx context.Context, deviceID string) (Credentials, error) {
	c, err := s.fetch(ctx, deviceID)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of unit %s: %w", deviceID, err)
	}
	return c, nil
}

func (s *server) fetch(ctx context.Context, deviceID string) (Credentials, error) {
	if err := checkDeviceID(deviceID); err != nil {
		return Credentials{}, err
	}
	var lastErr error // why the server was not available
	try := func() (Credentials, error) {
		c, err := s.ask(ctx, deviceID)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() == nil && errors.Is(err, ErrUnavailable):
			lastErr = err
			return c, err
		}
		return c, backoff.Permanent(err)
	}
	c, err := backoff.Retry(ctx, try,
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: firstWait, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: longestWait,
		}),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) { s.onRetry(err) }))
	switch {
	case ctx.Err() == nil || err == nil:
		return c, err
	case lastErr == nil:
		return Credentials{}, ctx.Err()
	}
	return Credentials{}, fmt.Errorf("%w (%w)", lastErr, ctx.Err())
}

// ask makes one request.
func (s *server) ask(ctx context.Context, deviceID string) (Credentials, error) {
	u := s.base.JoinPath("provision", url.PathEscape(deviceID))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return Credentials{}, err
	}
	s.authorize(req)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "flashd")
	resp, err := s.client.Do(req)
	if err != nil {
		return Credentials{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	body, err := readBody(resp.Body)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return Credentials{}, fmt.Errorf("POST %s: %w", u, refusal(resp))
	}
	switch {
	case err != nil:
		return Credentials{}, fmt.Errorf("%w: answer broken off: %w", ErrUnavailable, err)
	case len(body) > maxAnswer:
		return Credentials{}, fmt.Errorf("%w: the answer is larger than %d bytes", ErrBadAnswer, maxAnswer)
	}
	return parseAnswer(body, deviceID)
}

// readBody reads up to one byte more than an answer may have.
func readBody(body io.ReadCloser) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	return data, errors.Join(err, body.Close())
}

// refusal is the error of an answer that brings no credentials. Its body is not
// quoted: an error page may repeat the request with its token.
func refusal(resp *http.Response) error {
	status := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w (%s)", ErrUnauthorized, status)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w (%s)", ErrUnknownUnit, status)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		if wait := retryAfter(resp.Header.Get("Retry-After")); wait > 0 {
			return fmt.Errorf("%w (%s): %w", ErrUnavailable, status, &backoff.RetryAfterError{Duration: wait})
		}
		return fmt.Errorf("%w (%s)", ErrUnavailable, status)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: the server redirects (%s): set its URL to where it is now", ErrBadAnswer, status)
	}
	return fmt.Errorf("%w (%s)", ErrBadAnswer, status)
}

// retryAfter reads a Retry-After header, seconds or a date; 0 if it says nothing.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(time.Until(date), 0), longestRetryAfter)
}
