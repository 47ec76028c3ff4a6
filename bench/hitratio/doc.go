// Package hitratio asks how much of a trace the memory store serves, beside
// LRU, S3-FIFO and two caches of others (otter, theine), each with the same
// room in bytes. Throughput is not its matter.
//
//	go test ./bench/hitratio                         the gate, on short traces
//	go test ./bench/hitratio -run Table -v -full     the table, and hitratio.svg
//
// The traces are made here, from a seed. Each has one habit of the web in a
// pure form, so that a policy which is good at one of them only is found out:
// frequency helps with zipf and crawler, recency with recency and shifts, and
// either misleads with the others.
//
// The store takes whole requests: a Get, and a Put of a real Object when that
// missed. What is compared is first the part of requests that were hits. The
// part of bytes stands beside it; every policy here buys the one with the
// other to some degree, as a large object stands in the place of many small
// ones.
//
// Under the race detector ristretto forgets most of what it counts, so there
// the gate is not built.
package hitratio
