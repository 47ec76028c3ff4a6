package memory

import (
	"hash/maphash"
	"math/bits"

	"veneer/cache/key"
)

// hasher names URIs, keys and variants by 64 bits. Its seed is the process's
// own, so nobody outside can choose keys that collide; where they do by
// chance, the index compares in full and admission refuses the second.
type hasher struct {
	seed maphash.Seed
	mask uint64 // all ones; tests take bits away to make hashes collide
}

// bytes returns the hashes of a target URI and of the whole primary key. The
// URI is read once for both.
func (h *hasher) bytes(k key.Key) (uri, id uint64) {
	uri = maphash.Bytes(h.seed, k.Bytes[:k.Group])
	return uri & h.mask, mix(uri, maphash.Bytes(h.seed, k.Bytes[k.Group:])) & h.mask
}

// strings is bytes for a key that an Object holds; the result is the same.
func (h *hasher) strings(k string, group int) (uri, id uint64) {
	uri = maphash.String(h.seed, k[:group])
	return uri & h.mask, mix(uri, maphash.String(h.seed, k[group:])) & h.mask
}

// uri returns the hash of a target URI.
func (h *hasher) uri(u []byte) uint64 { return maphash.Bytes(h.seed, u) & h.mask }

// variant returns the hash of a primary key together with selecting fields.
// Without any it is the primary key's: that of nearly all Objects, so that the
// use counted before the Object came is the use of the Object.
func (h *hasher) variant(id uint64, s key.Selecting) uint64 {
	if len(s.Names) == 0 {
		return id
	}
	for i, name := range s.Names {
		id = mix(mix(id, maphash.String(h.seed, name)), maphash.String(h.seed, s.Values[i]))
	}
	return id & h.mask
}

// mix joins two hashes; the order counts.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, bits.RotateLeft64(b, 32)^0xd1b54a32d192ed03)
	return hi ^ lo
}
