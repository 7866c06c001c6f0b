package web

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"hoptech.co.nz/flashd/jobs"
)

// maxBody is far more than a reason takes, in bytes.
const maxBody = 16 << 10

// reworkRequest is the body of POST /api/v1/rework.
type reworkRequest struct {
	Unit    string `json:"unit"`   // device ID
	Reason  string `json:"reason"` // why
	By      string `json:"by"`     // who allows it
	Reflash bool   `json:"reflash,omitempty"`
}

func (s *server) rework(w http.ResponseWriter, r *http.Request) {
	req, err := readRework(w, r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), `Send {"unit": ..., "reason": ..., "by": ..., "reflash": false} as application/json.`)
		return
	}
	allowed, err := s.Source.AllowRework(r.Context(), jobs.Rework{
		Unit: req.Unit, Reason: req.Reason, By: req.By, Reflash: req.Reflash,
	})
	if err != nil {
		failStore(w, err)
		return
	}
	answer(w, http.StatusCreated, allowed)
}

func readRework(w http.ResponseWriter, r *http.Request) (req reworkRequest, err error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return req, fmt.Errorf("rework: the body has the type %.40q", kind)
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return req, fmt.Errorf("rework: %w", err)
	}
	if req.Unit, err = unitID(req.Unit); err != nil {
		return req, fmt.Errorf("rework: %w", err)
	}
	if strings.TrimSpace(req.Reason) == "" {
		return req, fmt.Errorf("rework of %s: a reason is required", req.Unit)
	}
	if strings.TrimSpace(req.By) == "" {
		return req, fmt.Errorf("rework of %s: the name of who allows it is required", req.Unit)
	}
	return req, nil
}

// reworkElsewhere answers on TCP, where anybody may ask.
func (s *server) reworkElsewhere(w http.ResponseWriter, _ *http.Request) {
	fail(w, http.StatusForbidden, "a rework cannot be allowed over the network",
		"On the station itself, use flashd rework UNIT --reason TEXT.")
}
