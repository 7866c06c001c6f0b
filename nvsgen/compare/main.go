// Compare runs nvsgen and tinygo.org/x/espflasher/pkg/nvs over the golden
// vectors of NVS partitions and prints, as Markdown, what each gets wrong:
//
//	go run . [-vectors DIR]
//
// It is a module of its own to keep the other package out of flashd's go.mod.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
)

func main() {
	dir := flag.String("vectors", vectorDir(), "`DIR` with the golden vectors")
	flag.Parse()
	report, err := compare(*dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	fmt.Print(report)
}

// vectorDir is where nvsgen's own tests look for the vectors.
func vectorDir() string {
	return cmp.Or(os.Getenv("FLASHD_NVS_VECTORS"), "../../../shared/nvs-vectors")
}
