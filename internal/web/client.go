package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// Client talks to the flashd that runs on a state directory. What flashd refuses
// is an *Error; one with status 404 also is jobs.ErrNoUnit.
type Client struct {
	http *http.Client
}

// Dial looks for the flashd that runs on a state directory. It returns
// ErrNoDaemon if there is none.
func Dial(stateDir string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, stateDir) }
	conn, err := dial(context.Background(), "", "")
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", stateDir, err)
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status returns what people see of the station now.
func (c *Client) Status(ctx context.Context) (v station.View, err error) {
	err = c.get(ctx, "status", &v)
	return v, err
}

// Unit returns the summary of a unit, or jobs.ErrNoUnit.
func (c *Client) Unit(ctx context.Context, id string) (u jobs.Unit, err error) {
	err = c.get(ctx, "units/"+url.PathEscape(id), &u)
	return u, err
}

// Units yields the units that f selects, in order of their IDs. An error ends it.
func (c *Client) Units(ctx context.Context, f UnitFilter) iter.Seq2[jobs.Unit, error] {
	return list[jobs.Unit](ctx, c, "units?"+f.query().Encode())
}

// Attempts yields the attempts that f selects, the one started last first. An
// error ends it.
func (c *Client) Attempts(ctx context.Context, f jobs.Filter) iter.Seq2[jobs.Attempt, error] {
	return list[jobs.Attempt](ctx, c, "attempts?"+queryOf(f).Encode())
}

// Rework allows a unit to be provisioned again, as jobs.Store.AllowRework does.
func (c *Client) Rework(ctx context.Context, q ReworkRequest) (allowed ReworkAnswer, err error) {
	err = c.post(ctx, "rework", q, &allowed)
	return allowed, err
}

// Reworks yields the reworks of a unit, or of all units if unit is empty, the one
// allowed last first; with open those that are armed only.
func (c *Client) Reworks(ctx context.Context, unit string, open bool) iter.Seq2[jobs.Rework, error] {
	q := url.Values{}
	if unit != "" {
		q.Set(qUnit, unit)
	}
	if open {
		q.Set(qState, string(jobs.ReworkArmed))
	}
	return list[jobs.Rework](ctx, c, "reworks?"+q.Encode())
}

// CancelRework disarms a rework, as jobs.Store.CancelRework does.
func (c *Client) CancelRework(ctx context.Context, id uint64, by, reason string) (r jobs.Rework, err error) {
	err = c.post(ctx, fmt.Sprintf("reworks/%d/cancel", id), cancelRequest{Reason: reason, By: by}, &r)
	return r, err
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp.Body, into)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp.Body, into)
}

// do sends a request and turns an answer that is not 2xx into an error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://flashd/api/v1/"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask flashd: %w", withoutURL(err))
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	e := &Error{Status: resp.StatusCode}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(e); err != nil || e.Message == "" {
		e.Message = "flashd answers " + resp.Status
	}
	return nil, e
}

// Is makes the answer for a unit that is not known equal to the store's error.
func (e *Error) Is(target error) bool {
	return e.Status == http.StatusNotFound && target == jobs.ErrNoUnit
}

// withoutURL drops an address that means nothing to people.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func decode(from io.Reader, into any) error {
	if err := json.NewDecoder(from).Decode(into); err != nil {
		return fmt.Errorf("read flashd's answer: %w", err)
	}
	return nil
}

// list yields the elements of an array as they come.
func list[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		resp, err := c.do(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(*new(T), err)
			return
		}
		defer resp.Body.Close()
		if err := elements(resp.Body, yield); err != nil {
			yield(*new(T), fmt.Errorf("read flashd's answer: %w", err))
		}
	}
}

// elements reads an array to its very end: one that was cut off is an error.
func elements[T any](from io.Reader, yield func(T, error) bool) error {
	d := json.NewDecoder(from)
	if _, err := d.Token(); err != nil { // [
		return err
	}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		if !yield(v, nil) {
			return nil
		}
	}
	_, err := d.Token() // ]
	return err
}
