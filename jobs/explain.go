package jobs

import (
	"errors"
	"fmt"

	berrors "go.etcd.io/bbolt/errors"
)

// explain turns what bbolt says into what this package says.
func explain(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	default:
		return err
	}
}
