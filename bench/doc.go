// Package bench measures the hot path, step by step and as a whole:
//
//	go test -run - -bench . ./bench
//
// Compare two versions with benchstat, never two machines. The allocation
// gates stand beside the code that they guard (alloc_test.go in each package).
package bench
