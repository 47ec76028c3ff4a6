// Package bench measures the hot path, step by step and as a whole:
//
//	go test -run - -bench 'Steps|Hit' ./bench
//	VENEER_BENCH=1 go test -run TestCORSBeside -v ./bench      the CORS decision, beside another engine's
//
// How a cost grows with what is configured and stored is asked in growth, and
// how much is served from memory in hitratio.
//
// Compare two versions with benchstat, never two machines. The allocation
// gates stand beside the code that they guard (alloc_test.go in each package);
// the one here holds all steps at once.
package bench
