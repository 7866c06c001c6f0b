package config

import (
	"errors"

	"github.com/goccy/go-yaml/ast"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// IDs is a list of USB IDs, each written as lsusb prints it.
type IDs []hotplug.ID

// UnmarshalYAML reads the IDs as they are written: 0403:6001 is no number.
func (ids *IDs) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return errors.New("want a list such as [303a:1001, 10c4:ea60]")
	}
	*ids = nil
	for _, value := range list.Values {
		id, err := hotplug.ParseID(scalar(value))
		if err != nil {
			return err
		}
		*ids = append(*ids, id)
	}
	return nil
}
