package station

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

// AllowRework records that a unit may be provisioned again. A unit that sits
// in its slot is begun at once, or when the attempt under way has ended; any
// other when it is put in.
func (s *Station) AllowRework(_ context.Context, r jobs.Rework) (jobs.Rework, error) {
	if err := CheckRework(s.Release, r); err != nil {
		return r, err
	}
	allowed, err := s.Store.AllowRework(r)
	if err != nil {
		return allowed, err
	}
	s.Log.Info("rework allowed", "rework", allowed.ID, "unit", allowed.Unit, "by", allowed.By, "reason", allowed.Reason,
		"reflash", allowed.Reflash, "keep_all", allowed.KeepAll, "new_credentials", allowed.NewCredentials, "set", allowed.Set, "expires", allowed.Expires)
	for _, slot := range s.View().Slots {
		if slot.Unit == allowed.Unit {
			s.board.rework(slot.Path, ReworkArmed)
			s.slots.retry(slot.Path)
		}
	}
	return allowed, nil
}

// CheckRework returns jobs.ErrBadRework for one that sets what a release does not
// let a rework set.
func CheckRework(release *firmware.Release, r jobs.Rework) error {
	if err := release.CheckSettings(settingsOf(r.Set)); err != nil {
		return fmt.Errorf("rework of %.40s: %w: %w", r.Unit, jobs.ErrBadRework, err)
	}
	return nil
}

// checkRework is for a rework that was allowed while no release was at hand, or
// another one. The unit is left as it is.
func (a *attempt) checkRework() error {
	if r := a.decision.Rework; r != nil {
		if err := a.Release.CheckSettings(settingsOf(r.Set)); err != nil {
			return &fault{kindUnfit, err}
		}
	}
	return nil
}

// settingsOf returns the keys that a rework sets, in the order of their names.
func settingsOf(set map[string]string) (settings []firmware.Setting) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		namespace, key, encoding := jobs.SplitSetting(name)
		settings = append(settings, firmware.Setting{Namespace: namespace, Key: key, Encoding: encoding, Value: set[name]})
	}
	return settings
}

// CancelRework disarms a rework that no attempt is carrying out.
func (s *Station) CancelRework(_ context.Context, id uint64, by, reason string) (jobs.Rework, error) {
	cancelled, err := s.Store.CancelRework(id, by, reason)
	if err != nil {
		return cancelled, err
	}
	s.Log.Info("rework cancelled", "rework", id, "unit", cancelled.Unit, "by", by, "reason", cancelled.CancelReason)
	for _, slot := range s.View().Slots {
		if slot.Unit == cancelled.Unit && slot.Rework == ReworkArmed {
			s.board.rework(slot.Path, "")
		}
	}
	return cancelled, nil
}
