// Package deflate compresses what is written to many units into as few bytes
// as it can: on a serial line they are the time that writing takes.
//
// With the build tag libdeflate (and cgo) that is libdeflate's near-optimal
// level 12, which makes firmware 1.5 to 2.3 % smaller than zlib's level 9.
// Other builds are all Go and 2 % worse than zlib.
package deflate

// Compress returns data as a zlib stream (RFC 1950) with a window of at most
// 32 KiB, which is what ROM loaders and Espressif's stub keep (miniz's
// TINFL_LZ_DICT_SIZE).
func Compress(data []byte) ([]byte, error) { return compress(data) }
