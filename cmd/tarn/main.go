// Command tarn is a self-hosted lakebase.
package main

import (
	"os"

	"github.com/tarn-data/tarn/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
