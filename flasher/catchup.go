package flasher

import (
	"context"

	"hoptech.co.nz/flashd/flasher/slip"
)

// catchUp has a loader finish what it was left with when a command was given
// up, because its context had ended or its time was over. Else its answer would
// be taken for that of the next command: another sector's digest, other bytes.
// Loaders work in order, so that behind the answer to a SYNC nothing is left.
func (d *Device) catchUp(ctx context.Context, op Opcode) error {
	if !d.behind || !owes(op) {
		return nil
	}
	switch {
	case d.streaming:
		// A frame that is no acknowledgement ends the stub's read
		// (esp-flasher-stub command_handler.c s_read_flash_post_process).
		if err := d.line.sendFrame(ctx, slip.Append(nil, []byte{0})); err != nil {
			return err
		}
		d.streaming = false
	default:
		d.awaitOwed(ctx)
	}
	return d.resync(ctx)
}

// awaitOwed lets a loader finish what takes long, such as the digest of a whole
// flash: meanwhile it hears no SYNC.
func (d *Device) awaitOwed(ctx context.Context) {
	ctx, cancel := context.WithDeadlineCause(ctx, d.owedUntil, errQuiet)
	defer cancel()
	_, _ = d.line.frame(ctx) // none came: what became of the loader, resync finds out
}

// owes reports whether a loader that has not answered op will do so yet. A SYNC
// asks just that, and a ROM may jump into a stub without answering MEM_END.
func owes(op Opcode) bool { return op != Sync && op != MemEnd }
