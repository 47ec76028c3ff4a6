// Command veneer is a caching reverse proxy that several web origins share.
// See package cli for its verbs.
package main

import (
	"context"
	"os"

	"veneer/cmd/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
