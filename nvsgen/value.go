package nvsgen

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Type is the type byte of an entry.
type Type uint8

// The types that a key can have (ESP-IDF, nvs_handle.hpp, enum ItemType). The
// low four bits of a number's type are its size in bytes.
const (
	TypeU8     Type = 0x01
	TypeI8     Type = 0x11
	TypeU16    Type = 0x02
	TypeI16    Type = 0x12
	TypeU32    Type = 0x04
	TypeI32    Type = 0x14
	TypeU64    Type = 0x08
	TypeI64    Type = 0x18
	TypeString Type = 0x21
	TypeBlob   Type = 0x41 // in flash: the whole blob of a version 1 page
	// TypeFloat and TypeDouble came after ESP-IDF 5.5; firmware up to that
	// erases such entries when it opens the partition.
	TypeFloat  Type = 0x24
	TypeDouble Type = 0x28

	typeBlobData  Type = 0x42 // one chunk of a blob
	typeBlobIndex Type = 0x48 // says how many chunks a blob has

	typeAny Type = 0xFF // in a search
)

var typeNames = map[Type]string{
	TypeU8: "u8", TypeI8: "i8", TypeU16: "u16", TypeI16: "i16",
	TypeU32: "u32", TypeI32: "i32", TypeU64: "u64", TypeI64: "i64",
	TypeString: "string", TypeBlob: "blob", TypeFloat: "float", TypeDouble: "double",
}

// String returns the word for t: u8 … i64, string, blob, float or double.
func (t Type) String() string { return typeNames[t] }

// variable reports whether entries of type t are followed by data entries.
func (t Type) variable() bool {
	return t == TypeString || t == TypeBlob || t == typeBlobData
}

// Value is what a key holds: one of the types below and nothing else.
type Value interface {
	// Type is that of the value in flash; a blob has TypeBlob.
	Type() Type
	// appendTo appends the bytes that the flash holds, without padding.
	appendTo(b []byte) []byte
}

// The types that implement Value.
type (
	// Uint8 is a u8.
	Uint8 uint8
	// Int8 is an i8.
	Int8 int8
	// Uint16 is a u16.
	Uint16 uint16
	// Int16 is an i16.
	Int16 int16
	// Uint32 is a u32.
	Uint32 uint32
	// Int32 is an i32.
	Int32 int32
	// Uint64 is a u64.
	Uint64 uint64
	// Int64 is an i64.
	Int64 int64
	// Text is a string, without the NUL that ends it in flash.
	Text string
	// Bytes is a blob.
	Bytes []byte
	// Float is a single, known to firmware after ESP-IDF 5.5.
	Float float32
	// Double is a double, known to firmware after ESP-IDF 5.5.
	Double float64
)

// Type returns TypeU8.
func (Uint8) Type() Type { return TypeU8 }

// Type returns TypeI8.
func (Int8) Type() Type { return TypeI8 }

// Type returns TypeU16.
func (Uint16) Type() Type { return TypeU16 }

// Type returns TypeI16.
func (Int16) Type() Type { return TypeI16 }

// Type returns TypeU32.
func (Uint32) Type() Type { return TypeU32 }

// Type returns TypeI32.
func (Int32) Type() Type { return TypeI32 }

// Type returns TypeU64.
func (Uint64) Type() Type { return TypeU64 }

// Type returns TypeI64.
func (Int64) Type() Type { return TypeI64 }

// Type returns TypeString.
func (Text) Type() Type { return TypeString }

// Type returns TypeBlob.
func (Bytes) Type() Type { return TypeBlob }

// Type returns TypeFloat.
func (Float) Type() Type { return TypeFloat }

// Type returns TypeDouble.
func (Double) Type() Type { return TypeDouble }

func (v Uint8) appendTo(b []byte) []byte  { return append(b, byte(v)) }
func (v Int8) appendTo(b []byte) []byte   { return append(b, byte(v)) }
func (v Uint16) appendTo(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, uint16(v)) }
func (v Int16) appendTo(b []byte) []byte  { return binary.LittleEndian.AppendUint16(b, uint16(v)) }
func (v Uint32) appendTo(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }
func (v Int32) appendTo(b []byte) []byte  { return binary.LittleEndian.AppendUint32(b, uint32(v)) }
func (v Uint64) appendTo(b []byte) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }
func (v Int64) appendTo(b []byte) []byte  { return binary.LittleEndian.AppendUint64(b, uint64(v)) }
func (v Text) appendTo(b []byte) []byte   { return append(append(b, v...), 0) }
func (v Bytes) appendTo(b []byte) []byte  { return append(b, v...) }

func (v Float) appendTo(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
}

func (v Double) appendTo(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
}

// numberFrom returns the number of type t in the 8 value bytes of an entry.
func numberFrom(t Type, b []byte) Value {
	le := binary.LittleEndian
	switch t {
	case TypeU8:
		return Uint8(b[0])
	case TypeI8:
		return Int8(b[0])
	case TypeU16:
		return Uint16(le.Uint16(b))
	case TypeI16:
		return Int16(le.Uint16(b))
	case TypeU32:
		return Uint32(le.Uint32(b))
	case TypeI32:
		return Int32(le.Uint32(b))
	case TypeU64:
		return Uint64(le.Uint64(b))
	case TypeI64:
		return Int64(le.Uint64(b))
	case TypeFloat:
		return Float(math.Float32frombits(le.Uint32(b)))
	default:
		return Double(math.Float64frombits(le.Uint64(b)))
	}
}

// sameValue compares by the bytes in flash, so that a NaN equals itself.
func sameValue(a, b Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Type() == b.Type() && bytes.Equal(a.appendTo(nil), b.appendTo(nil))
}
