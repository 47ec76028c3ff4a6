// Package memory keeps Objects in this process's memory: the first tier.
//
// Three parts, each with one job:
//
//   - the index (shards of records, by target URI) is the truth: what is in it
//     is stored, what is not is not. Every lookup compares the full key.
//   - the policy (ristretto: TinyLFU admission, sampled LFU eviction) says who
//     may stay. It is asked, never read. A clock hand beside it retires what
//     was not used for a round: TinyLFU alone keeps new things out for as long
//     as old ones are remembered, and a cache of news would never warm up.
//   - the window is a first-in-first-out queue before the policy, a fifth of
//     the budget. Most objects are asked for once; only what was used in the
//     window is offered to the policy on its way out. What was lost a moment
//     ago goes to the policy at once.
//
// # Locks
//
// There are two kinds, always taken in this order:
//
//	Store.mu    every writer: Put, Delete, the purges, Close. Guards the policy,
//	            the window, the tags, the order and every change of the index.
//	shard.mu    what readers of one shard see. A writer holds it only while it
//	            exchanges pointers, never while it talks to the policy.
//
// ristretto decides on a goroutine of its own and reports through callbacks,
// so a writer queues its question and waits. One writer at a time makes that
// pair a plain function call: the callbacks write into fields that the waiting
// writer owns (the queue and the wait order the accesses), they take no lock,
// and so they cannot deadlock with anybody. A lock for every shard would allow
// several questions in the queue, but one goroutine answers them all; what
// would be gained shows only at rates of storing that no upstream reaches, and
// what would be lost is that the budget is exact.
//
// A Get takes the read lock of one shard and nothing else, and allocates
// nothing.
//
// # Budget
//
// The sum of Object.Cost over the index is Stats.Bytes; it equals what policy
// and window hold together, and it never exceeds Config.Size, not for a
// moment: what has to go leaves the index before the newcomer enters it.
// Beside Size stand the policy's counters (about one per cent of it), the ids
// of what was lost lately (0.4 per cent), the policy's queue (256 KiB) and
// Objects that readers still hold.
package memory
