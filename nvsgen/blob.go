package nvsgen

import "slices"

// blobIndex is what the index of a blob says, and the chunks found for it.
type blobIndex struct {
	ns          byte
	key         string
	first       byte // number of its first chunk
	count       int
	size        int
	foundChunks int
	foundSize   int
}

func (b *blobIndex) sameKey(it *item) bool { return it.namespace() == b.ns && it.key() == b.key }

// owns reports whether a chunk is of the same writing of the blob: numbers
// below 0x80 are of one, those from there on of the other.
func (b *blobIndex) owns(it *item) bool {
	end := byte(anyChunk)
	if b.first == 0 {
		end = chunkVersion1
	}
	return b.sameKey(it) && it.chunk() >= b.first && it.chunk() < end
}

// counts reports whether a chunk is one that the index names.
func (b *blobIndex) counts(it *item) bool {
	return b.sameKey(it) && it.chunk() >= b.first && int(it.chunk()) < int(b.first)+b.count
}

// dropIncompleteBlobs erases indexes whose chunks are not all there, and
// chunks without an index.
func (m *mount) dropIncompleteBlobs() {
	indexes := m.blobIndexes()
	chunks := query{ns: anyNamespace, kind: typeBlobData, chunk: anyChunk, first: anyChunk}
	for _, p := range m.list {
		for _, it := range p.each(chunks) {
			if i := slices.IndexFunc(indexes, func(b *blobIndex) bool { return b.owns(&it) }); i >= 0 {
				indexes[i].foundChunks++
				indexes[i].foundSize += it.length()
			}
		}
	}
	indexes = slices.DeleteFunc(indexes, func(b *blobIndex) bool {
		broken := b.foundSize != b.size || b.foundChunks != b.count
		if broken {
			q := query{ns: b.ns, kind: typeBlobIndex, key: &b.key, chunk: anyChunk, first: b.first}
			eraseFirst(m.list, q, "chunks of the blob are missing")
		}
		return broken
	})
	for _, p := range m.list {
		for _, it := range p.each(chunks) {
			if !slices.ContainsFunc(indexes, func(b *blobIndex) bool { return b.counts(&it) }) {
				q := query{ns: it.namespace(), kind: typeBlobData, key: ptr(it.key()), chunk: it.chunk(), first: anyChunk}
				p.eraseFound(q, "the chunk belongs to no blob")
			}
		}
	}
}

func (m *mount) blobIndexes() (list []*blobIndex) {
	for _, p := range m.list {
		for _, it := range p.each(query{ns: anyNamespace, kind: typeBlobIndex, chunk: anyChunk, first: anyChunk}) {
			list = append(list, &blobIndex{
				ns: it.namespace(), key: it.key(), first: it.firstChunk(), count: it.chunkCount(), size: int(it.blobLen()),
			})
		}
	}
	return list
}
