package station

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// credentials waits for the unit's credentials, makes what is to be written of them,
// and has copies kept. All that takes as long as it takes: neither a server that is
// down nor a folder that is full is the unit's fault.
func (a *attempt) credentials(ctx context.Context) error {
	if a.asked { // else the unit keeps its own
		if err := a.awaitSecrets(ctx); err != nil {
			return err
		}
	}
	if a.nvs.held != nil {
		return a.renew(ctx)
	}
	return a.makeOwn(ctx)
}

func (a *attempt) awaitSecrets(ctx context.Context) error {
	secrets, err := a.errand.wait(ctx, a.impatient)
	if err != nil {
		return err
	}
	if unit := a.dev.MAC().DeviceID(); secrets.DeviceID != unit {
		return &fault{kindBadAnswer, fmt.Errorf("credentials for %s came instead of those for %s", secrets.DeviceID, unit)}
	}
	a.result.Credential = a.Source.Name()
	return nil
}

// makeOwn makes an NVS partition that is new and, if that is encrypted, the keys of it.
func (a *attempt) makeOwn(ctx context.Context) error {
	values := a.values()
	own, err := a.Release.Personal(values)
	if err != nil {
		return a.templateFault(err)
	}
	if a.decision.Rework != nil {
		if err := a.set(&own, values); err != nil {
			return err
		}
	}
	a.answered()
	if a.own, err = packOwn(a.Release, own); err != nil {
		return err
	}
	return a.keepKeys(ctx, own.Keys)
}

// set makes the settings of a rework in an NVS partition that is new.
func (a *attempt) set(own *firmware.Personal, values firmware.Values) error {
	settings := a.renewal().Set
	if len(settings) == 0 {
		return nil
	}
	held, err := a.Release.ReadHeld(own.NVS, own.Keys)
	if err != nil {
		return &fault{kindTemplate, err}
	}
	renewed, err := held.Renew(values, firmware.Renewal{Set: settings})
	if err != nil {
		return &fault{kindUnfit, err}
	}
	own.NVS = renewed.NVS
	return nil
}

// renew changes some keys of the NVS partition that the unit has. Its NVS keys, if
// there are any, stay: new ones would make a power cut lose everything.
func (a *attempt) renew(ctx context.Context) error {
	renewed, err := a.nvs.held.Renew(a.values(), a.renewal())
	if errors.Is(err, firmware.ErrUnfit) {
		return &fault{kindUnfit, err}
	}
	if err != nil {
		return a.templateFault(err)
	}
	a.answered()
	were := "was"
	if len(renewed.Changed) > 1 {
		were = "were"
	}
	a.note(fmt.Sprintf("In NVS %s %s set and %d other keys were kept.", strings.Join(renewed.Changed, ", "), were, renewed.Kept))
	if !renewed.Safe {
		a.note("There was no room to change NVS page by page, so all of it was packed anew.")
	}
	if a.own, err = packOwn(a.Release, firmware.Personal{NVS: renewed.NVS, Keys: renewed.Keys}); err != nil {
		return err
	}
	a.nvs.pages = renewed.Writes
	if err := a.keepKeys(ctx, renewed.Keys); err != nil {
		return err
	}
	return a.keepHeld(ctx)
}

// renewal is what the rework asks for.
func (a *attempt) renewal() firmware.Renewal {
	r := a.decision.Rework
	return firmware.Renewal{KeepAll: r.KeepAll, NewCredentials: r.NewCredentials, Set: settingsOf(r.Set)}
}

// values are what the placeholders of the NVS template stand for in this unit,
// without its credentials if it keeps those.
func (a *attempt) values() firmware.Values {
	if !a.asked {
		return firmware.Values{firmware.DeviceID: a.decision.Unit.ID}
	}
	secrets := a.errand.secrets
	return firmware.Values{
		firmware.DeviceID: secrets.DeviceID,
		firmware.MQTTUser: secrets.MQTTUser,
		firmware.MQTTPass: secrets.MQTTPassword.Reveal(),
		firmware.MQTTHost: secrets.MQTTHost,
		firmware.MQTTPort: portText(secrets.MQTTPort),
	}
}

func portText(port int) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(port)
}

// templateFault tells a unit's values that do not suit the template from a template
// that suits no unit: what the source of credentials says may be odd about one unit.
func (a *attempt) templateFault(err error) error {
	if a.asked && errors.Is(err, firmware.ErrValues) {
		return &fault{kindBadAnswer, err}
	}
	return &fault{kindTemplate, err}
}

// answered takes note that the unit's credentials could be used, if it got some.
func (a *attempt) answered() {
	if a.asked {
		a.answers.fit()
	}
}

// packOwn makes ready what is the unit's own, in the order of writing.
func packOwn(r *firmware.Release, own firmware.Personal) ([]*flasher.Packed, error) {
	nvs, err := flasher.Pack(r.NVS.Label, r.NVS.Offset, own.NVS)
	if err != nil || own.Keys == nil {
		return []*flasher.Packed{nvs}, err
	}
	keys, err := flasher.Pack(r.NVSKeys.Label, r.NVSKeys.Offset, own.Keys)
	return []*flasher.Packed{keys, nvs}, err
}
