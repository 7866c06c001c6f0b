package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hoptech.co.nz/flashd/nvsgen"
)

// ErrUnfit is returned when a unit's NVS cannot hold what a rework asks for.
var ErrUnfit = errors.New("the unit's NVS cannot hold what the rework asks for")

// errBlank: there is nothing to keep.
var errBlank = errors.New("it is blank")

// Renewal says what a rework does with a unit's NVS partition. The zero value
// renews what the template sets, and keeps all other keys.
type Renewal struct {
	KeepAll        bool // keep what the template sets, too, and only add what is missing
	NewCredentials bool // with KeepAll: renew what depends on the credentials nevertheless
	Set            []Setting
}

// Held is what the NVS partition of a unit holds. All of it is secret.
type Held struct {
	release *Release
	nvs     *nvsgen.Partition
	keys    []byte // the keys partition that opens it; nil where it is plain
}

// ReadHeld reads a unit's NVS partition, and its keys partition where the release
// encrypts NVS. It returns why nothing of it can be kept: it may be blank,
// damaged, or encrypted with other keys.
func (r *Release) ReadHeld(nvs, keys []byte) (*Held, error) {
	if len(bytes.Trim(nvs, "\xFF")) == 0 {
		return nil, errBlank
	}
	h := &Held{release: r}
	var opened *nvsgen.Keys
	if r.NVSKeys != nil {
		var err error
		if opened, err = nvsgen.ParseKeys(keys); err != nil {
			return nil, err
		}
		h.keys = opened.Marshal()
	}
	var err error
	if h.nvs, err = nvsgen.Reopen(nvs, opened); err != nil {
		return nil, err
	}
	if len(h.nvs.Entries) == 0 {
		return nil, errors.New("no key in it can be read")
	}
	return h, nil
}

// RecoverHeld is ReadHeld for a unit whose rework was cut off: what it had before
// that, and has no longer, it is to have again. It returns how many keys those are.
func (r *Release) RecoverHeld(nvs, before, keys []byte) (*Held, int, error) {
	h, err := r.ReadHeld(nvs, keys)
	earlier, earlierErr := r.ReadHeld(before, keys)
	if earlierErr != nil {
		return h, 0, err
	}
	if err != nil { // nothing of it is left
		return earlier, len(earlier.nvs.Entries), earlier.nvs.Onto(nvs)
	}
	lost := 0
	for _, e := range earlier.nvs.Rows() {
		if _, there := h.nvs.Lookup(e.Namespace, e.Key); there || e.Value == nil {
			continue
		}
		if err := h.nvs.Set(e); err != nil {
			return nil, 0, err
		}
		lost++
	}
	return h, lost, nil
}

// Damage says what could not be read, "" if nothing.
func (h *Held) Damage() string {
	switch n := len(h.nvs.Problems); n {
	case 0:
		return ""
	case 1:
		return h.nvs.Problems[0].String()
	default:
		return fmt.Sprintf("%s, and %d more", h.nvs.Problems[0], n-1)
	}
}

// Needs reports whether a renewal needs the unit's credentials. With KeepAll it
// may do without, if the unit has its own.
func (h *Held) Needs(deviceID string, n Renewal) bool {
	if !n.KeepAll || n.NewCredentials {
		return true
	}
	t := h.release.template
	for id := range t.personal {
		if t.isCredential(id) && !h.has(id) {
			return true
		}
	}
	user := keyID{t.namespace, userKey}
	if slices.ContainsFunc(t.personal[user], func(name string) bool { return name != DeviceID && name != MQTTUser }) {
		return false // it has more in it than its name, so that nothing can be told
	}
	own, err := t.entriesFor(Values{DeviceID: deviceID, MQTTUser: deviceID})
	has, _ := h.nvs.Lookup(user.namespace, user.key)
	return err != nil || has != find(own, user.namespace, user.key) // those of another unit
}

// isCredential reports whether a key of the template holds what the source of
// credentials says.
func (t *template) isCredential(id keyID) bool {
	uses := t.personal[id]
	return slices.ContainsFunc(uses, func(name string) bool { return name != DeviceID }) || len(uses) > 0 && id.key == userKey
}

// entriesFor fills in the values there are, and samples for the others.
func (t *template) entriesFor(v Values) ([]nvsgen.Entry, error) {
	all := maps.Clone(samples[0])
	maps.Copy(all, v)
	return t.entries(all)
}

// Renewed is what to write to a unit.
type Renewed struct {
	Writes  []nvsgen.PageWrite // pages of the NVS partition, each to be verified before the next
	Safe    bool               // a power cut while they are written loses nothing that is kept, unless firmware starts on what it leaves
	NVS     []byte             // the whole partition afterwards
	Keys    []byte             // the keys partition, which stays as it is; nil where NVS is plain
	Changed []string           // the keys that are written, as namespace/key
	Kept    int                // how many others stay
}

// Renew makes the changes that n asks for. Every placeholder of the template
// needs a value, or DeviceID alone if [Held.Needs] says that the credentials are
// not needed. ErrValues is returned for values that do not suit the template, and
// ErrUnfit for settings that do not suit the unit, and when NVS is too full.
func (h *Held) Renew(v Values, n Renewal) (*Renewed, error) {
	// They may have been allowed without a release at hand, or for another one.
	if err := h.release.CheckSettings(n.Set); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	t := h.release.template
	renewing := v[MQTTPass] != ""
	fill := t.entriesFor
	if renewing {
		fill = t.entries
	}
	entries, err := fill(v)
	if err != nil {
		return nil, unsuited(err)
	}
	changed := map[keyID]bool{}
	set := func(e nvsgen.Entry) error {
		changed[keyID{e.Namespace, e.Key}] = true
		return h.nvs.Set(e)
	}
	for _, e := range entries {
		if e.Value == nil || h.keeps(e, renewing, n) {
			continue
		}
		if !renewing && t.isCredential(keyID{e.Namespace, e.Key}) {
			return nil, unsuited(fmt.Errorf("there are no credentials for %s/%s", e.Namespace, e.Key))
		}
		if err := set(e); err != nil {
			return nil, unsuited(err)
		}
	}
	for _, s := range n.Set {
		e, err := h.setting(s)
		if err == nil {
			err = set(e)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
		}
	}
	return h.renewed(changed)
}

// keeps reports whether a key of the template stays as it is in the unit.
func (h *Held) keeps(e nvsgen.Entry, renewing bool, n Renewal) bool {
	t, id := h.release.template, keyID{e.Namespace, e.Key}
	if !n.KeepAll || !h.has(id) || id == (keyID{t.namespace, provisionedKey}) {
		return false
	}
	return !renewing || !t.isCredential(id)
}

// has reports whether the unit has a key of the template as its firmware looks for
// it: of that type, and not an empty credential.
func (h *Held) has(id keyID) bool {
	t := h.release.template
	v, there := h.nvs.Lookup(id.namespace, id.key)
	if like := t.typeOf(id.namespace, id.key); !there || like != nil && v.Type() != like.Type() {
		return false
	}
	return v != nvsgen.Text("") || !t.isCredential(id)
}

// setting gives a value the type that its key has in the unit, or in the template.
func (h *Held) setting(s Setting) (nvsgen.Entry, error) {
	s = h.release.template.complete(s)
	like, ok := h.nvs.Lookup(s.Namespace, s.Key)
	if !ok {
		like = h.release.template.typeOf(s.Namespace, s.Key)
	}
	return s.entry(like)
}

func (h *Held) renewed(changed map[keyID]bool) (*Renewed, error) {
	r := &Renewed{Keys: h.keys}
	var err error
	if r.Writes, r.Safe, err = h.nvs.Writes(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	r.NVS = h.nvs.Flash()
	for _, w := range r.Writes {
		copy(r.NVS[w.Page*nvsgen.PageSize:], w.Data)
	}
	for id := range changed {
		r.Changed = append(r.Changed, id.namespace+"/"+id.key)
	}
	slices.Sort(r.Changed)
	for _, e := range h.nvs.Rows() {
		if e.Value != nil && !changed[keyID{e.Namespace, e.Key}] {
			r.Kept++
		}
	}
	return r, nil
}
