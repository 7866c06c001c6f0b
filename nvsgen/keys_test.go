package nvsgen_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

func TestDeriveKeys_known(t *testing.T) {
	hmacKey := make([]byte, 32)
	for i := range hmacKey {
		hmacKey[i] = byte(i)
	}
	keys, err := nvsgen.DeriveKeys(hmacKey)
	if err != nil {
		t.Fatal(err)
	}
	// Computed with Python's hmac module.
	const want = "813a141220ddb819f4d73d59fa3032ab9f592cc26a18cf1fde692f712b6a025c" +
		"b20ad6b6ddd1658a6e14d1b5b726e42356adf4ff2f68fcd8826ac2908408addf"
	if got := hex.EncodeToString(keys.Marshal()[:64]); got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

func TestGolden_hmacKeys(t *testing.T) {
	v := vector{dir: vectorDir(t)}
	keys, err := nvsgen.DeriveKeys(v.readFile(t, "hmac_key.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(keys.Marshal(), v.readFile(t, "hmac_keys.bin")) {
		t.Error("the derived keys are not those of hmac_keys.bin")
	}
}

func TestParseKeys(t *testing.T) {
	good := nvsgen.NewKeys().Marshal()
	if len(good) != nvsgen.KeysSize {
		t.Fatalf("%d bytes, want %d", len(good), nvsgen.KeysSize)
	}
	keys, err := nvsgen.ParseKeys(good)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(keys.Marshal(), good) {
		t.Error("what was parsed does not marshal to the same bytes")
	}
	if _, err := nvsgen.ParseKeys(good[:68]); err != nil {
		t.Errorf("the used part alone: %v", err)
	}
	flipped := bytes.Clone(good)
	flipped[40] ^= 1
	for name, b := range map[string][]byte{
		"flipped bit": flipped,
		"blank":       bytes.Repeat([]byte{0xFF}, nvsgen.KeysSize),
		"zero":        make([]byte, nvsgen.KeysSize),
		"short":       good[:67],
		"empty":       nil,
	} {
		if _, err := nvsgen.ParseKeys(b); !errors.Is(err, nvsgen.ErrKeys) {
			t.Errorf("%s: %v, want %v", name, err, nvsgen.ErrKeys)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := nvsgen.DeriveKeys(make([]byte, n)); !errors.Is(err, nvsgen.ErrKeys) {
			t.Errorf("HMAC key of %d bytes: %v, want %v", n, err, nvsgen.ErrKeys)
		}
	}
}

func TestNewKeys_differ(t *testing.T) {
	if bytes.Equal(nvsgen.NewKeys().Marshal(), nvsgen.NewKeys().Marshal()) {
		t.Error("the same keys twice")
	}
}

func TestKeys_doNotPrint(t *testing.T) {
	keys := nvsgen.NewKeys()
	secret := keys.Marshal()[:4]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		got := fmt.Sprintf(verb, keys)
		if bytes.Contains([]byte(got), []byte(hex.EncodeToString(secret))) || bytes.Contains([]byte(got), []byte(fmt.Sprint(secret[0], secret[1], secret[2]))) {
			t.Errorf("%s prints the keys", verb)
		}
	}
	opts := fmt.Sprintf("%+v", nvsgen.Options{Keys: keys})
	if bytes.Contains([]byte(opts), []byte(hex.EncodeToString(secret))) {
		t.Error("options print the keys")
	}
}

func TestParse_impossibleSize(t *testing.T) {
	for _, n := range []int{0, 1, nvsgen.PageSize - 1, nvsgen.PageSize + 1} {
		image := make([]byte, n)
		_, err := nvsgen.Parse(image)
		_, err2 := nvsgen.Decrypt(image, nvsgen.NewKeys())
		_, err3 := nvsgen.Encrypt(image, nvsgen.NewKeys())
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, nvsgen.ErrSize) {
				t.Errorf("%d bytes: %v, want %v", n, err, nvsgen.ErrSize)
			}
		}
	}
}
