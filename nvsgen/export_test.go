package nvsgen

// Recovered returns the image as the firmware leaves it after opening.
func Recovered(image []byte, keys *Keys) []byte {
	var c *cipher
	if keys != nil {
		c = keys.cipher()
	}
	m, _ := newMount(image, c)
	return m.image
}

// XTS encrypts one data unit.
func XTS(data, tweak, unit []byte, number int) ([]byte, error) {
	c, err := newCipher(data, tweak)
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, unit...)
	c.encrypt(out, number)
	return out, nil
}

// SearchHash is what firmware knows a key by in memory.
func SearchHash(ns byte, key string) uint32 {
	return searchHash([]byte{ns}, keyField(key), []byte{anyChunk})
}
