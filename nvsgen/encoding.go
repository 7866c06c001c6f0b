package nvsgen

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseValue reads the text of a value in an encoding of [ReadCSV]. No error
// holds the text, nor the encoding: somebody may have swapped the two.
func ParseValue(encoding, text string) (Value, error) { return decodeValue(encoding, []byte(text)) }

func decodeValue(encoding string, data []byte) (Value, error) {
	switch encoding = strings.ToLower(encoding); encoding {
	case "string":
		if !utf8.Valid(data) {
			return nil, fmt.Errorf("%w: the string is not UTF-8; convert the file, or use encoding binary", ErrBadValue)
		}
		return Text(data), nil
	case "binary":
		return Bytes(data), nil
	case "hex2bin":
		return decodeHex(data)
	case "base64":
		return decodeBase64(data)
	}
	if name, args, ok := strings.Cut(encoding, "("); ok && strings.HasPrefix(name, "blob_") {
		return decodeFill(name, args, data)
	}
	return parseInteger(encoding, string(data))
}

func decodeHex(data []byte) (Value, error) {
	data = bytes.TrimSpace(data)
	if len(data)%2 != 0 {
		return nil, fmt.Errorf("%w: %d hexadecimal digits; write two for each byte", ErrBadValue, len(data))
	}
	out := make([]byte, len(data)/2)
	if _, err := hex.Decode(out, data); err != nil {
		return nil, fmt.Errorf("%w: the value is not hexadecimal; use 0-9 and a-f only", ErrBadValue)
	}
	return Bytes(out), nil
}

func decodeBase64(data []byte) (Value, error) {
	data = bytes.Join(bytes.Fields(data), nil)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(out, data)
	if err != nil {
		return nil, fmt.Errorf("%w: the value is not base64; use A-Z, a-z, 0-9, + and /, with = at the end to a multiple of 4", ErrBadValue)
	}
	return Bytes(out[:n]), nil
}

// decodeFill makes a blob of a fixed length: the value and then filler bytes,
// and with blob_sz_fill the length of the value before it, in 4 bytes
// little-endian.
func decodeFill(name, args string, data []byte) (Value, error) {
	bad := fmt.Errorf("%w: the encoding is not of the form blob_fill(LEN;0xHH) or blob_sz_fill(LEN;0xHH)", ErrCSV)
	args, closed := strings.CutSuffix(args, ")")
	number, filler, two := strings.Cut(args, ";0x")
	n, err := strconv.ParseUint(number, 10, 32)
	fill, err2 := hex.DecodeString(filler)
	if !closed || !two || err != nil || err2 != nil || len(fill) != 1 {
		return nil, bad
	}
	if n > MaxBlobLen {
		return nil, fmt.Errorf("%w: a blob of %d bytes, the limit is %d; split it over several keys", ErrValueTooLong, n, MaxBlobLen)
	}
	if uint64(len(data)) > n {
		return nil, fmt.Errorf("%w: the value has %d bytes, more than the %d of its encoding; make that larger", ErrValueTooLong, len(data), n)
	}
	var out []byte
	switch name {
	case "blob_fill":
	case "blob_sz_fill":
		out = Uint32(len(data)).appendTo(nil)
	default:
		return nil, bad
	}
	out = append(out, data...)
	return Bytes(append(out, bytes.Repeat(fill, int(n)-len(data))...)), nil
}

// parseInteger reads decimal digits, which may have a sign, blanks around and
// single underscores between, as Python's int does.
func parseInteger(encoding, text string) (Value, error) {
	t, ok := integerTypes[encoding]
	if !ok {
		return nil, fmt.Errorf("%w: the encoding is unknown; use u8, i8, u16, i16, u32, i32, u64, i64, string, binary, hex2bin or base64", ErrCSV)
	}
	digits := strings.TrimSpace(text)
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if !decimal(digits) {
		return nil, fmt.Errorf("%w: the value is not a decimal integer; use digits only, with a minus sign if need be", ErrBadValue)
	}
	magnitude, err := strconv.ParseUint(strings.ReplaceAll(digits, "_", ""), 10, 64)
	lowest, highest := integerRange(t)
	if err != nil || !negative && magnitude > highest || negative && magnitude > lowest {
		return nil, fmt.Errorf("%w: the number is out of range; %s holds %s to %d", ErrBadValue, encoding, minus(lowest), highest)
	}
	if negative {
		magnitude = -magnitude
	}
	return numberFrom(t, binary.LittleEndian.AppendUint64(nil, magnitude)), nil
}

// integerTypes are the types that parseInteger knows, by their encoding.
var integerTypes = map[string]Type{
	"u8": TypeU8, "i8": TypeI8, "u16": TypeU16, "i16": TypeI16,
	"u32": TypeU32, "i32": TypeI32, "u64": TypeU64, "i64": TypeI64,
}

// integerRange returns the magnitudes of the lowest and the highest number of
// type t.
func integerRange(t Type) (lowest, highest uint64) {
	bits := 8 * uint(t&0x0F)
	if signed := t&0x10 != 0; signed {
		return 1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

// decimal reports whether s is digits with no more than one underscore between
// two of them.
func decimal(s string) bool {
	for part := range strings.SplitSeq(s, "_") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

func minus(magnitude uint64) string {
	if magnitude == 0 {
		return "0"
	}
	return "-" + strconv.FormatUint(magnitude, 10)
}
