// Command peers measures what an answer costs Veneer and other caching proxies,
// side by side on this machine:
//
//	go run ./bench/peers
//
// README.md says what is equal, what is measured and how to read it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"veneer/bench/peers/internal/bare"
)

// What the command ends with.
const (
	exitGood = iota
	exitFinding
	exitUsage
	exitCannot
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// dispatch runs the command, or one of the servers that the command starts by
// running itself again.
func dispatch(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] != bare.Command {
		return run(ctx, args, os.Stdout, os.Stderr)
	}
	if err := bare.Run(ctx, args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitCannot
	}
	return exitGood
}
