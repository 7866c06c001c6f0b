//go:build cgo && libdeflate

package deflate

// Linked statically: the program then runs where libdeflate is not installed.

// #cgo LDFLAGS: -l:libdeflate.a
// #include <libdeflate.h>
import "C"

import (
	"errors"
	"unsafe"
)

// level is libdeflate's best.
const level = 12

func compress(data []byte) ([]byte, error) {
	c := C.libdeflate_alloc_compressor(level)
	if c == nil {
		return nil, errors.New("libdeflate: out of memory")
	}
	defer C.libdeflate_free_compressor(c)
	out := make([]byte, C.libdeflate_zlib_compress_bound(c, C.size_t(len(data))))
	n := C.libdeflate_zlib_compress(c, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)),
		unsafe.Pointer(unsafe.SliceData(out)), C.size_t(len(out)))
	if n == 0 {
		return nil, errors.New("libdeflate: the output does not fit its own bound")
	}
	return out[:n:n], nil
}
