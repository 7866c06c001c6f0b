package firmware

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/nvsgen"
)

// Setting is a value for one key of a unit's NVS partition, as people write it.
type Setting struct {
	Namespace string // "": that of the credentials
	Key       string
	Encoding  string // of Value, as in Espressif's NVS files: "u16"; "": that of the key
	Value     string
}

// CheckSettings reports why a rework cannot set keys: those that the credentials
// are in come from their source, and values have to be of the type that the
// release's template gives their key. Errors hold no value.
func (r *Release) CheckSettings(settings []Setting) error {
	for _, s := range settings {
		s = r.template.complete(s)
		if uses := r.template.personal[keyID{s.Namespace, s.Key}]; slices.Contains(uses, MQTTUser) || slices.Contains(uses, MQTTPass) || s.Namespace == r.template.namespace && s.Key == userKey {
			return fmt.Errorf("key %s/%s holds the unit's credentials: they come from their source only", s.Namespace, s.Key)
		}
		if s.Namespace == r.template.namespace && s.Key == provisionedKey {
			return fmt.Errorf("key %s/%s says that the unit is provisioned, and is always set", s.Namespace, s.Key)
		}
		known := r.template.typeOf(s.Namespace, s.Key)
		if s.Encoding == "" && known == nil {
			continue // the unit's own NVS will tell
		}
		if _, err := s.entry(known); err != nil {
			return err
		}
	}
	return nil
}

func (t *template) complete(s Setting) Setting {
	s.Namespace = cmp.Or(s.Namespace, t.namespace)
	return s
}

// typeOf returns a value of the type that the template gives a key, or nil.
func (t *template) typeOf(namespace, key string) nvsgen.Value { return find(t.sample, namespace, key) }

// entry reads the value of s for a key that is like the value given; nil is a
// new key, which is a string unless s says otherwise.
func (s Setting) entry(like nvsgen.Value) (nvsgen.Entry, error) {
	encoding := s.Encoding
	if encoding == "" {
		encoding = "string"
		if like != nil {
			encoding = like.Type().String()
		}
		if like != nil && like.Type() == nvsgen.TypeBlob {
			return nvsgen.Entry{}, fmt.Errorf("key %s/%s is a blob: write its value in hexadecimal, as %[1]s:%[2]s:hex2bin", s.Namespace, s.Key)
		}
	}
	value, err := nvsgen.ParseValue(encoding, s.Value)
	if errors.Is(err, nvsgen.ErrCSV) { // a type that no text can be given for
		err = fmt.Errorf("a %s cannot be set", encoding)
	}
	if err != nil {
		return nvsgen.Entry{}, fmt.Errorf("key %s/%s: %w", s.Namespace, s.Key, err)
	}
	if like != nil && value.Type() != like.Type() {
		return nvsgen.Entry{}, fmt.Errorf("key %s/%s is of type %s, and the value would be of type %s: the firmware would not find it", s.Namespace, s.Key, like.Type(), value.Type())
	}
	return nvsgen.Entry{Namespace: s.Namespace, Key: s.Key, Value: value}, nil
}
