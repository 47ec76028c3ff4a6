//go:build !unix

package accesslog

const nonBlocking = 0
