//go:build !unix

package upstream

// nothingToRead cannot tell here: no connection is used again.
func nothingToRead(uintptr) bool { return false }
