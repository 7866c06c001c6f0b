package nvsgen

// Change is a key that differs between two partitions. Old or New has no Value
// if the key is missing there.
type Change struct {
	Old, New Entry
}

// Diff returns the keys whose type or value differ: first those of a in its
// order, then those that only b has.
func Diff(a, b *Partition) []Change {
	var changes []Change
	for _, old := range keysOf(a) {
		value, _ := b.Lookup(old.Namespace, old.Key)
		now := Entry{Namespace: old.Namespace, Key: old.Key, Value: value}
		if !old.Equal(now) {
			changes = append(changes, Change{old, now})
		}
	}
	for _, now := range keysOf(b) {
		if _, had := a.Lookup(now.Namespace, now.Key); !had {
			changes = append(changes, Change{Entry{Namespace: now.Namespace, Key: now.Key}, now})
		}
	}
	return changes
}

// keysOf returns each key once, with the value that Lookup finds.
func keysOf(p *Partition) []Entry {
	var keys []Entry
	for _, e := range p.rows {
		if e.Value != nil {
			keys = append(keys, e)
		}
	}
	return keys
}
