package firmware

// Check compares what a unit would get with the plain NVS image it was made of.
func (p Personal) Check(plain []byte) error { return p.check(plain) }
