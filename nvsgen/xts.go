package nvsgen

import (
	"crypto/aes"
	gocipher "crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// cipher is XTS-AES (IEEE 1619-2018) as the firmware uses it: the data unit is
// one entry of two AES blocks, and its number is the offset of the entry in
// the partition.
type cipher struct {
	data, tweak gocipher.Block
}

// newCipher takes the data key and the tweak key, of 16 or 32 bytes each.
func newCipher(data, tweak []byte) (*cipher, error) {
	d, err := aes.NewCipher(data)
	if err != nil {
		return nil, err
	}
	t, err := aes.NewCipher(tweak)
	if err != nil {
		return nil, err
	}
	return &cipher{d, t}, nil
}

func (c *cipher) encrypt(unit []byte, number int) { c.crypt(c.data.Encrypt, unit, number) }
func (c *cipher) decrypt(unit []byte, number int) { c.crypt(c.data.Decrypt, unit, number) }

// crypt works on a unit of whole AES blocks in place.
func (c *cipher) crypt(block func(dst, src []byte), unit []byte, number int) {
	var t [aes.BlockSize]byte
	binary.LittleEndian.PutUint64(t[:], uint64(number))
	c.tweak.Encrypt(t[:], t[:])
	for ; len(unit) > 0; unit = unit[aes.BlockSize:] {
		b := unit[:aes.BlockSize]
		subtle.XORBytes(b, b, t[:])
		block(b, b)
		subtle.XORBytes(b, b, t[:])
		double(&t)
	}
}

// double multiplies t by x in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
func double(t *[aes.BlockSize]byte) {
	lo, hi := binary.LittleEndian.Uint64(t[:8]), binary.LittleEndian.Uint64(t[8:])
	carry := hi >> 63
	hi = hi<<1 | lo>>63
	lo = lo<<1 ^ carry*0x87
	binary.LittleEndian.PutUint64(t[:8], lo)
	binary.LittleEndian.PutUint64(t[8:], hi)
}
