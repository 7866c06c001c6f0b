// Package nvsgen builds, reads, edits and encrypts images of NVS partitions,
// the key-value store of the ESP-IDF firmware. [Generate] and [ReadCSV] do what
// Espressif's nvs_partition_gen.py does, byte for byte where that is right;
// [Parse] reads an image as the firmware does, whatever happened to it;
// [Partition.Set], [Partition.Remove] and [Partition.Image] change one, and
// [Partition.Writes] changes one that is in a flash, page by page, so that [Reopen]
// finds after a power cut what was there before.
//
// What follows is the whole format. All numbers are little-endian. A CRC is the
// CRC-32 of IEEE 802.3 started from all ones (that is what the function in the
// ROM of the chips computes): for the header of a first page of version 2 it
// is 0xB9BA2D84.
//
// # Partition
//
// A partition is some pages of 4096 bytes, each a sector of the flash chip. An
// erase sets all bits of a sector; after that a write can only clear bits. So a
// value is never changed: the new one is written behind the others, and then
// the old one is marked erased. When pages run out, the live entries of the one
// with the most waste are copied to a blank page, and the page is erased. That
// is why one page always has to be blank; firmware refuses a partition without
// (ESP_ERR_NVS_NO_FREE_PAGES) unless it is marked readonly.
//
// # Page
//
//	offset
//	     0  +--------------------------------------+
//	        | header, 32 bytes                     |
//	    32  +--------------------------------------+
//	        | states of the entries, 2 bits each   |
//	    64  +--------------------------------------+
//	        | entry 0, 32 bytes                    |
//	    96  +--------------------------------------+
//	        | entry 1                              |
//	        :                                      :
//	  4064  +--------------------------------------+
//	        | entry 125                            |
//	  4096  +--------------------------------------+
//
//	header  0         4         8    9                   28        32
//	        +---------+---------+----+-------------------+---------+
//	        | state   | number  |ver | 0xFF              | CRC of  |
//	        |         |         |    |                   | 4 to 27 |
//	        +---------+---------+----+-------------------+---------+
//
// The number grows by one with each page taken into use, and so orders the
// pages; their place in the flash does not. The version byte is 0xFE for
// version 2 and 0xFF for version 1; firmware refuses a smaller one. The state
// goes down this list, a bit at a time:
//
//	0xFFFFFFFF  blank; the rest of the page is 0xFF too
//	0xFFFFFFFE  active: new entries go here
//	0xFFFFFFFC  full
//	0xFFFFFFF8  freeing: its entries are being copied to a new page
//
// A page with another state or a wrong CRC is corrupt: nothing in it counts,
// and it is erased when a blank page is needed.
//
// The state of entry i is in bits 2(i mod 4) and the next one up of byte i/4 of
// the 32:
//
//	11  empty
//	10  written
//	00  erased
//	01  impossible; treated as erased
//
// The last four bits, of entries that do not exist, stay 1.
//
// # Entry
//
//	0    1    2    3    4         8                     24            32
//	+----+----+----+----+---------+---------------------+-------------+
//	| ns |type|span|chnk| CRC of  | key, ended and      | value       |
//	|    |    |    |    | 0 to 3, | filled with NULs    |             |
//	|    |    |    |    | 8 to 31 |                     |             |
//	+----+----+----+----+---------+---------------------+-------------+
//
//	ns    index of the namespace, 1 to 254
//	span  entries that the value takes, with this one
//	chnk  number of a blob's chunk; 0xFF for all else
//
// A namespace is an entry of type u8 in namespace 0, whose key is the name and
// whose value is the index. Key and name have up to 15 bytes.
//
//	type  value
//	0x01  u8     0x11  i8      the number, filled up with 0xFF
//	0x02  u16    0x12  i16
//	0x04  u32    0x14  i32     0x24  float   (after ESP-IDF 5.5; older erase it)
//	0x08  u64    0x18  i64     0x28  double  (after ESP-IDF 5.5; older erase it)
//	0x21  string               length and CRC of the data, as below
//	0x41  blob, version 1      length and CRC of the data
//	0x42  chunk of a blob      length and CRC of the data
//	0x48  index of a blob      its length and chunks
//
//	24        26        28            32      data follow in the next
//	+---------+---------+-------------+       span-1 entries, with 0xFF
//	| length  | 0xFFFF  | CRC of data |       behind their end
//	+---------+---------+-------------+
//
//	24                  28   29   30    32
//	+-------------------+----+----+------+    a blob index
//	| length of blob    | n  |from|0xFFFF|
//	+-------------------+----+----+------+
//
// A string lies in one page; it has up to 3999 bytes and a NUL, which counts.
// A blob is cut where pages end, into n chunks with the numbers from, from+1
// and so on; its index comes last. from is 0 or 0x80, and changes with every
// writing, so that the old and the new blob can be told apart until the old one
// is erased. On version 1 pages a blob is one entry of up to 1984 bytes.
//
// # Power cuts
//
// An entry is written first and then marked written; a new value is marked
// written before the old one is erased. When firmware opens a partition it
// therefore looks for an entry without its mark at the end of the active page,
// for values that are not written to their end, for a second entry of the key
// that was written last, for chunks without an index and the other way round,
// and for a page in state freeing, which it copies again from the start. In
// memory it knows a key by 24 bits of the CRC of namespace, key and chunk
// number; on an active page two keys with the same bits are one to it.
//
// # Encryption
//
// Entries are encrypted one by one, headers and states are not. The cipher is
// XTS-AES-256; the number of the data unit, which XTS encrypts into the tweak,
// is the offset of the entry in the partition. The keys are in a partition of
// their own (see [ParseKeys]) or derived from a key in the eFuses (see
// [DeriveKeys]). Firmware that opens a partition without keys, or with wrong
// ones, reports success and erases every entry.
//
// # Where this is from
//
// The offsets and values are those of ESP-IDF, components/nvs_flash/src. Where
// firmware versions differ, [Parse] follows the branch after ESP-IDF 5.5, which checks most.
package nvsgen
