package station

import (
	"context"

	"hoptech.co.nz/flashd/jobs"
)

// AllowRework records that a unit may be provisioned again. A unit that sits
// in its slot, done or refused, is begun at once; any other when it is put in.
func (s *Station) AllowRework(_ context.Context, r jobs.Rework) (jobs.Rework, error) {
	allowed, err := s.Store.AllowRework(r)
	if err != nil {
		return allowed, err
	}
	s.Log.Info("rework allowed", "unit", allowed.Unit, "by", allowed.By, "reason", allowed.Reason, "reflash", allowed.Reflash)
	for _, slot := range s.View().Slots {
		if slot.Unit == allowed.Unit && (slot.State == Passed || slot.State == Refused) {
			s.slots.retry(slot.Path)
		}
	}
	return allowed, nil
}
