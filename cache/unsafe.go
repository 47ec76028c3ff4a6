package cache

import "unsafe"

// unsafeString views b as a string. The caller never changes b afterwards.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
