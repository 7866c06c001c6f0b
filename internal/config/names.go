package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Names are host names and IP addresses, in lower case.
type Names []string

// hostName is what RFC 1123 (2.1) lets a host be called.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// UnmarshalYAML reads the names as they are written: 10.1 is no number.
func (n *Names) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return errors.New("want a list such as [line-1.factory.example, 10.1.2.3]")
	}
	*n = nil
	for _, value := range list.Values {
		name := strings.TrimSuffix(strings.ToLower(scalar(value)), ".")
		if addr, err := netip.ParseAddr(name); err == nil {
			name = addr.String() // as browsers write it
		} else if !hostName.MatchString(name) || len(name) > 253 {
			return fmt.Errorf("%.60q is no host name: write it without https:// and without a port, such as line-1.factory.example", scalar(value))
		}
		*n = append(*n, name)
	}
	return nil
}
