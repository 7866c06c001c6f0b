package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// Backup writes the station's record to w as it is now, as jobs.Store.Backup does.
func (c *Client) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	resp, err := c.do(ctx, http.MethodGet, "backup", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err = io.Copy(w, resp.Body)
	if err != nil {
		return n, fmt.Errorf("read the backup from flashd: %w", err)
	}
	return n, nil
}

// Verify has flashd check all of its record, as jobs.Store.Verify does.
func (c *Client) Verify(ctx context.Context, tell jobs.Progress) error {
	resp, err := c.do(ctx, http.MethodGet, "check", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var line checkLine
		if err := lines.Decode(&line); err != nil {
			return fmt.Errorf("read flashd's answer: %w", err)
		}
		switch {
		case line.Ended && line.Problem != "":
			return errors.New(line.Problem)
		case line.Ended:
			return nil
		case tell != nil:
			if err := tell(line.Step, line.Done, line.Total); err != nil {
				return err
			}
		}
	}
}

// Archive moves attempts that were started before a moment into the station's
// archives, as jobs.Store.Archive does.
func (c *Client) Archive(ctx context.Context, before time.Time) (filled []jobs.Archive, err error) {
	err = c.post(ctx, "archive", archiveRequest{Before: before}, &filled)
	return filled, err
}
