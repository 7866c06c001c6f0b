// Bench flashes the same release into the same simulated chips with flashd's
// flasher and with other people's, and prints a table of what each took:
//
//	go run . [-only RE] [-best N] [-slots 1,8,32,64] [-esptool NAME=DIR]...
//
// Every client is a process of its own, so that its CPU time and memory are
// its own, and everything happens in real time: run it on an idle machine.
// Each takes a pseudo terminal, but for esptool-js, which has RFC 2217.
//
// It is a module of its own to keep the other flasher out of flashd's go.mod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) == 3 { // this program as one of the clients
		if run := inProcess[os.Args[1]]; run != nil {
			exit(runJob(os.Args[2], run))
		}
	}
	exit(compare())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func compare() error {
	only := flag.String("only", "", "run scenarios and clients whose `name` matches this expression only")
	best := flag.Int("best", 1, "run everything `N` times and take the fastest, where the machine is not idle")
	slots := flag.String("slots", "1,8,32,64", "how many units at once")
	library := flag.String("esptool-js", "../../flasher/stub/node_modules/esptool-js", "`DIR` of esptool-js; empty: leave it out")
	var tools []client
	flag.Func("esptool", "also run the esptool in `NAME=DIR`, with Debian's Python", func(s string) error {
		name, dir, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=DIR")
		}
		tools = append(tools, esptool(name, dir))
		return nil
	})
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	release, err := newRelease(dir)
	if err != nil {
		return err
	}
	clients := []client{own("flashd"), own("espflasher")}
	if *library != "" {
		clients = append(clients, esptoolJS(*library))
	}
	clients = append(clients, tools...)

	err = eachScenario(ctx, release, clients, match, *best)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, manySlots(ctx, release, *slots))
}
