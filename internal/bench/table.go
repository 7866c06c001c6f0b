package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// eachScenario has every client whose name together with the scenario's
// matches flash one unit, and prints what that took. One that fails does not keep
// the others from their turn.
func eachScenario(ctx context.Context, r *release, clients []client, match *regexp.Regexp, times int) (failed error) {
	fmt.Println("| scenario | client | seconds | × bound | bytes | round trips | CPU s |")
	fmt.Println("|---|---|--:|--:|--:|--:|--:|")
	took := map[[2]string]float64{}
	for _, s := range scenarios {
		for _, c := range clients {
			if !match.MatchString(s.name + " " + c.name) {
				continue
			}
			m, err := s.fastest(ctx, r, c, times)
			if ctx.Err() != nil {
				return errors.Join(failed, ctx.Err())
			}
			if err != nil {
				fmt.Printf("| %s | %s | failed | | | | |\n", s.name, c.name)
				failed = errors.Join(failed, fmt.Errorf("%s: %s: %w", s.name, c.name, err))
				continue
			}
			fmt.Printf("| %s | %s | %.2f | %.2f | %d | %d | %.2f |\n", s.name, c.name, m.seconds, m.seconds/s.bound(r), m.bytes, m.commands, m.cpu)
			took[[2]string{s.name, c.name}] = m.seconds
		}
	}
	printRatios(clients, took)
	return failed
}

// printRatios prints the time of the first client as a part of the others',
// where both were run.
func printRatios(clients []client, took map[[2]string]float64) {
	own := clients[0].name
	fmt.Printf("\n| %s's time |", own)
	for _, c := range clients[1:] {
		fmt.Printf(" ÷ %s |", c.name)
	}
	fmt.Println("\n|---|" + strings.Repeat("--:|", len(clients)-1))
	for _, s := range scenarios {
		seconds, ok := took[[2]string{s.name, own}]
		if !ok {
			continue
		}
		fmt.Printf("| %s |", s.name)
		for _, c := range clients[1:] {
			if other, ok := took[[2]string{s.name, c.name}]; ok {
				fmt.Printf(" %.2f |", seconds/other)
			} else {
				fmt.Print(" |")
			}
		}
		fmt.Println()
	}
}

// manySlots has flashd flash several units at once.
func manySlots(ctx context.Context, r *release, counts string) (failed error) {
	if counts == "" {
		return nil
	}
	fmt.Println("\n| units at once | slowest unit, s | CPU s a unit | memory, MB |")
	fmt.Println("|--:|--:|--:|--:|")
	for field := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("-slots: %w", err)
		}
		m, err := scenarios[0].runUnits(ctx, r, own("flashd"), n)
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%d units: %w", n, err))
			continue
		}
		fmt.Printf("| %d | %.2f | %.3f | %.0f |\n", n, m.slowest, m.cpu/float64(n), m.memory)
	}
	return failed
}
