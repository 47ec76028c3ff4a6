// Package growth asks how what a request costs grows with what is configured
// and stored: routes, origins, variants under one key, stored objects, open
// connections. What it costs in itself is the matter of the package above.
//
//	go test ./bench/growth                              the gates
//	go test ./bench/growth -run - -bench .              each measurement by itself
//	go test ./bench/growth -run Table -v -full          the table, and growth.svg
//	go test ./bench/growth -run Table -v -full -objects 1000000 -connections 1000
//
// The full form stores ten million objects and holds ten thousand connections
// against the built program. It takes some minutes, about 14 GiB of memory, and
// as many file descriptors as connections in each of the two processes.
//
// The gates judge shapes, never a time by itself: all sizes of a family take
// turns in one run, and the least time of each counts. Where more objects make
// a lookup dearer, what the processor's caches miss explains how much, and the
// gate measures that beside it.
package growth
