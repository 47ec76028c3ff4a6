// Package process builds the real program, runs it with a configuration for
// the load test, and watches it from outside: its log, its memory and its open
// files. It knows nothing of what is asked of it.
package process
