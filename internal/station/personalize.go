package station

import (
	"context"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// samePartition makes sure that the NVS partition of a unit whose firmware
// stays is where this release has it: else the write would hit something else.
func (a *attempt) samePartition(ctx context.Context) error {
	raw, err := a.dev.ReadFlash(ctx, a.plan.table, flasher.PartitionTableSize, nil)
	if err != nil {
		return err
	}
	table, err := flasher.ParsePartitionTable(raw)
	if err != nil {
		return &fault{kindOtherLayout, err}
	}
	nvs := a.Release.NVS
	p, ok := table.Find(nvs.Label)
	if !ok || p.Offset != nvs.Offset || int(p.Size) != nvs.Size {
		return &fault{kindOtherLayout, fmt.Errorf("the unit's partition table has no %q of %#x bytes at %#x", nvs.Label, nvs.Size, nvs.Offset)}
	}
	return nil
}

// personalize gives the unit its own NVS partition.
func (a *attempt) personalize(ctx context.Context) error {
	secrets, err := a.errand.wait(ctx)
	if err != nil {
		return err
	}
	image, err := a.Release.NVSImage(firmware.Values{
		firmware.DeviceID: secrets.DeviceID,
		firmware.MQTTUser: secrets.MQTTUser,
		firmware.MQTTPass: secrets.MQTTPassword.Reveal(),
		firmware.MQTTHost: secrets.MQTTHost,
		firmware.MQTTPort: portText(secrets.MQTTPort),
	})
	if err != nil {
		return &fault{kindTemplate, err}
	}
	if a.nvs, err = flasher.Pack(a.Release.NVS.Label, a.Release.NVS.Offset, image); err != nil {
		return err
	}
	// These secrets are this MAC's and no other's.
	if err := a.dev.ConfirmMAC(ctx); err != nil {
		return err
	}
	if err := a.dev.WriteFlash(ctx, a.nvs, nil); err != nil {
		return err
	}
	a.countWritten(a.nvs)
	return nil
}

func (a *attempt) verifyNVS(ctx context.Context) error { return a.verified(ctx, a.nvs) }
