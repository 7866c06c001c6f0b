// Package nvsgen builds, reads, edits and encrypts images of NVS partitions,
// the key-value store of the ESP-IDF firmware.
package nvsgen
