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
// By requests the store is within two points of the best of the others in all
// cells of the table of 2026-11-26, at worst 1.4 below (recency, 1 %), and above
// them in half. By bytes 14 of 18 are; the others are news at 1 % (2.7 below),
// recency at 1 % (4.1) and 5 % (2.2), and shifts at 1 % (2.1). Letting the hand
// pass twice as many bytes (retireFactor in cache/store/memory) brings news and
// shifts to 2.0 and 1.6 and recency to 3.7 and 1.7, and costs zipf 1.7 points of
// requests and 0.7 of bytes at 1 % of room, 1.2 and 0.3 at 5 %, where it is then
// 2.2 below by bytes; three times as many bring little more, and cost another
// half. Popularity that stays is the commoner load.
//
// Under the race detector ristretto forgets most of what it counts, so there
// the gate is not built.
package hitratio
