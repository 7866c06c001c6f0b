package nvsgen

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// KeysSize is the number of bytes of a keys partition (nvs_keys): one page.
const KeysSize = PageSize

// hmacKeyLen is the size of the key in the eFuses that the HMAC peripheral
// works with.
const hmacKeyLen = 32

// Keys are the AES-256 keys of an encrypted partition. They print as a word
// only, so that no log gets hold of them.
type Keys struct {
	data, tweak [32]byte
}

// NewKeys returns random keys.
func NewKeys() *Keys {
	var k Keys
	rand.Read(k.data[:]) // never fails: see crypto/rand
	rand.Read(k.tweak[:])
	return &k
}

// ParseKeys reads the keys out of the image of a keys partition (nvs_keys, at
// least 68 bytes of it) and checks their CRC, as the firmware does.
//
//	 0  data key     32 bytes
//	32  tweak key    32 bytes
//	64  CRC-32 of both, little-endian
//	68  0xFF to the end of the page
func ParseKeys(partition []byte) (*Keys, error) {
	if len(partition) < 68 {
		return nil, fmt.Errorf("%w: %d bytes; a keys partition has %d", ErrKeys, len(partition), KeysSize)
	}
	if bytes.Equal(partition[:68], blankPage[:68]) {
		return nil, fmt.Errorf("%w: the keys partition is blank; generate keys first", ErrKeys)
	}
	if binary.LittleEndian.Uint32(partition[64:]) != checksum(partition[:64]) {
		return nil, fmt.Errorf("%w: the checksum of the keys is wrong; take another copy of the keys file", ErrKeys)
	}
	var k Keys
	copy(k.data[:], partition)
	copy(k.tweak[:], partition[32:])
	return &k, nil
}

// Marshal returns the image of the keys partition, which [ParseKeys] reads.
func (k *Keys) Marshal() []byte {
	b := bytes.Clone(blankPage)
	copy(b, k.data[:])
	copy(b[32:], k.tweak[:])
	binary.LittleEndian.PutUint32(b[64:], checksum(b[:64]))
	return b
}

// DeriveKeys returns the keys that a chip with the HMAC peripheral (ESP32-S2
// and later) makes of the 256-bit key in its eFuses, so that it needs no keys
// partition.
func DeriveKeys(hmacKey []byte) (*Keys, error) {
	if len(hmacKey) != hmacKeyLen {
		return nil, fmt.Errorf("%w: the HMAC key has %d bytes, it needs %d", ErrKeys, len(hmacKey), hmacKeyLen)
	}
	// The messages are constants of ESP-IDF (nvs_sec_provider.c).
	return &Keys{
		data:  hmacOf(hmacKey, []byte{0x5A, 0x5A, 0xBE, 0xAE}),
		tweak: hmacOf(hmacKey, []byte{0xA5, 0xA5, 0xDE, 0xCE}),
	}, nil
}

func hmacOf(key, word []byte) (sum [32]byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write(bytes.Repeat(word, 8))
	mac.Sum(sum[:0])
	return sum
}

// String hides the keys.
func (k *Keys) String() string { return "nvs keys" }

// GoString hides the keys.
func (k *Keys) GoString() string { return k.String() }

func (k *Keys) cipher() *cipher {
	c, err := newCipher(k.data[:], k.tweak[:])
	if err != nil {
		panic(err) // the size of the keys is right
	}
	return c
}
