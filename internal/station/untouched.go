package station

import (
	"context"
	"crypto/md5" //nolint:gosec // the only digest that the chips can compute
	"errors"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

// untouched is the firmware of a unit that a rework must not touch.
type untouched struct {
	table    flasher.PartitionTable
	regions  []watched     // what has to stay; nil: not looked at yet
	firmware jobs.Firmware // what the record calls it, unless the unit has updated itself
	updated  bool          // it has
	strayed  bool          // a write to NVS did not arrive
}

// watched is a part of the firmware that a rework must not touch.
type watched struct {
	jobs.Region
	digest [md5.Size]byte // that it has to have afterwards
	of     string         // the release whose it is; "": it was taken from the unit before
}

// watchFirmware makes the list of what a rework has to leave alone: all that the
// attempt verified that wrote the firmware. Code has to be that of its release.
// What the firmware may have written itself, and all of it if that release is not
// at hand, has to be as it was before the first write.
func (a *attempt) watchFirmware(ctx context.Context) (err error) {
	if a.untouched.regions == nil {
		a.untouched.regions, err = a.firmwareToWatch(ctx)
	}
	if a.untouched.updated {
		a.note("The unit has updated its firmware by itself since it passed.")
	}
	return err
}

func (a *attempt) firmwareToWatch(ctx context.Context) (all []watched, err error) {
	a.untouched.updated = false
	regions, release, err := a.writtenFirmware()
	if err != nil {
		return nil, err
	}
	a.untouched.firmware.Proved = release != nil && len(regions) > 0
	for _, r := range regions {
		w := watched{Region: r}
		partition := a.partitionOf(r)
		ours := release != nil && w.takeFrom(release)
		if changes := partition != nil && partition.Type != flasher.AppPartition; changes || !ours {
			sum, err := a.dev.FlashMD5(ctx, r.Offset, r.Size)
			if err != nil {
				return nil, err
			}
			if isOTAData(partition) && ours && sum != w.digest {
				a.untouched.updated = true
				return a.updatedToWatch(ctx, regions)
			}
			w.digest, w.of = sum, ""
		}
		a.untouched.firmware.Proved = a.untouched.firmware.Proved && ours
		all = append(all, w)
	}
	return all, nil
}

// updatedToWatch is firmwareToWatch for a unit that has updated its firmware by
// itself: any of its applications may be the one that it runs.
func (a *attempt) updatedToWatch(ctx context.Context, regions []jobs.Region) (all []watched, err error) {
	for _, p := range a.untouched.table {
		if p.Type == flasher.AppPartition {
			regions = slices.DeleteFunc(regions, func(r jobs.Region) bool { return r.Offset == p.Offset })
			regions = append(regions, jobs.Region{Name: p.Label, Offset: p.Offset, Size: int(p.Size)})
		}
	}
	for _, r := range regions {
		sum, err := a.dev.FlashMD5(ctx, r.Offset, r.Size)
		if err != nil {
			return nil, err
		}
		all = append(all, watched{Region: r, digest: sum})
	}
	return all, nil
}

// writtenFirmware returns what was verified when the unit's firmware was last
// written, and its release if it is at hand. What the record calls it is in firmware.
func (a *attempt) writtenFirmware() ([]jobs.Region, *firmware.Release, error) {
	for passed, err := range a.Store.Attempts(jobs.Filter{Unit: a.decision.Unit.ID, Outcome: jobs.Pass}) {
		if err != nil {
			return nil, nil, &fault{kindStore, err}
		}
		if passed.Verdict == jobs.ReworkNVS {
			continue
		}
		a.untouched.firmware = jobs.Firmware{Release: passed.Release, Digest: passed.ReleaseDigest}
		return slices.DeleteFunc(passed.Verified, a.isOwn), a.releaseOf(passed), nil
	}
	// Its attempts are no longer in the record.
	var regions []jobs.Region
	for _, s := range a.plan.segments {
		regions = append(regions, regionOf(s))
	}
	a.untouched.firmware = jobs.Firmware{Release: a.decision.Unit.PassedRelease}
	if a.untouched.firmware.Release == a.Release.Name {
		a.untouched.firmware.Digest = a.Release.Digest // which is proved, or the unit is refused
		return regions, a.Release, nil
	}
	return regions, nil, nil
}

// isOwn reports whether a region is one that each unit gets a content of its own
// for.
func (a *attempt) isOwn(r jobs.Region) bool {
	keys := a.Release.NVSKeys
	return r.Offset == a.Release.NVS.Offset || keys != nil && r.Offset == keys.Offset
}

// releaseOf returns the release that an attempt wrote, or nil.
func (a *attempt) releaseOf(passed jobs.Attempt) *firmware.Release {
	if passed.ReleaseDigest == a.Release.Digest {
		return a.Release
	}
	if a.Releases == nil {
		return nil
	}
	r, err := a.Releases(passed.Release)
	if err != nil || r.Digest != passed.ReleaseDigest {
		a.log.Info("the release that the unit has is not at hand", "release", passed.Release, "err", err)
		return nil
	}
	return r
}

// takeFrom gives w the digest that it has in a release, and reports whether it is
// part of it.
func (w *watched) takeFrom(r *firmware.Release) bool {
	i := slices.IndexFunc(r.Segments, func(s firmware.Segment) bool { return s.Offset == w.Offset })
	if i < 0 {
		return false
	}
	packed, err := flasher.Pack(w.Name, w.Offset, r.Segments[i].Data)
	if err != nil || packed.Size != w.Size {
		return false
	}
	w.digest, w.of = packed.MD5, r.Name
	return true
}

// partitionOf returns the partition that a region is in; nil for the bootloader
// and the partition table.
func (a *attempt) partitionOf(r jobs.Region) *flasher.Partition {
	i := slices.IndexFunc(a.untouched.table, func(p flasher.Partition) bool {
		return p.Offset <= r.Offset && uint64(r.Offset) < p.End()
	})
	if i < 0 {
		return nil
	}
	return &a.untouched.table[i]
}

func isOTAData(p *flasher.Partition) bool {
	return p != nil && p.IsData(flasher.OTAData)
}

// verifyFirmware proves on the chip that the rework left the firmware alone.
func (a *attempt) verifyFirmware(ctx context.Context) error {
	for _, w := range a.untouched.regions {
		sum, err := a.dev.FlashMD5(ctx, w.Offset, w.Size)
		switch {
		case err != nil:
			return err
		case sum == w.digest:
			a.result.Verified = append(a.result.Verified, w.Region)
		case w.of != "":
			return &fault{kindOtherFirmware, fmt.Errorf("the unit's %s is not that of release %s, which the record says it has", w.Name, w.of)}
		default:
			return &fault{kindOtherFirmware, fmt.Errorf("the unit's %s is not what it was before the rework", w.Name)}
		}
	}
	if a.untouched.strayed {
		a.note("A write to NVS did not arrive at the first try. The firmware was not hit; nobody looked at other partitions.")
	}
	a.untouched.regions = nil // it may start from now on
	if !a.untouched.updated {
		a.result.Firmware = &a.untouched.firmware
	}
	return nil
}

// isAstray reports whether a write did not arrive where it should have, so that it
// may have hit something else.
func isAstray(err error) bool {
	return errors.Is(err, flasher.Astray) || errors.Is(err, flasher.Mismatch) || errors.Is(err, flasher.Blank)
}
