package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"hoptech.co.nz/flashd/internal/station"
)

// isTerminal reports whether a person is looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// liveTable draws the slots again and again over themselves until views end.
func liveTable(w io.Writer, views <-chan station.View) {
	drawn := 0
	for v := range views {
		var b strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&b, "\x1b[%dA\x1b[J", drawn) // up, and clear to the end
		}
		table := slotTable(v)
		drawn = strings.Count(table, "\n")
		b.WriteString(table)
		if _, err := io.WriteString(w, b.String()); err != nil {
			return
		}
	}
}

// slotTable is the board for a terminal.
func slotTable(v station.View) string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SLOT\tUNIT\tSTATE\tPROGRESS\t")
	for _, s := range v.Slots {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", s.Name, cmp.Or(s.Unit, "-"), stateWord(s), progressBar(s), clip(s.Message, 60))
	}
	tw.Flush() //nolint:errcheck // a strings.Builder does not fail
	t := v.Totals
	fmt.Fprintf(&b, "%d units, %d passed, %d failed, %.0f an hour, cycle %.1f s\n", t.Units, t.Passed, t.Failed, t.UnitsPerHour, t.CycleMedian)
	if v.Held != "" {
		fmt.Fprintf(&b, "HELD: %s\n", v.Held)
	}
	return b.String()
}

func stateWord(s station.SlotView) string {
	switch s.State {
	case station.Working:
		return s.Phase
	case station.Empty:
		return "empty"
	default:
		return strings.ToUpper(string(s.State))
	}
}

// progressBar is 20 characters and the share in percent.
func progressBar(s station.SlotView) string {
	if s.State != station.Working {
		return ""
	}
	const width = 20
	full := int(s.Progress * width)
	return strings.Repeat("#", full) + strings.Repeat(".", width-full) + fmt.Sprintf(" %3.0f %%", s.Progress*100)
}

func clip(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}

// summary says what a run of units came to.
func summary(w io.Writer, t station.Totals) {
	yield, cycle := "-", "-"
	if t.Units > 0 {
		yield = fmt.Sprintf("%.1f %%", t.FirstPassYield*100)
	}
	if t.Passed > 0 {
		cycle = fmt.Sprintf("median %.1f s, 95 %% within %.1f s", t.CycleMedian, t.CycleP95)
	}
	fmt.Fprintf(w, "units             %d\n", t.Units)
	fmt.Fprintf(w, "passed            %d\n", t.Passed)
	fmt.Fprintf(w, "failed            %d\n", t.Failed)
	fmt.Fprintf(w, "errors            %d\n", t.Errors)
	fmt.Fprintf(w, "refused           %d\n", t.Refused)
	fmt.Fprintf(w, "first-pass yield  %s\n", yield)
	fmt.Fprintf(w, "units an hour     %.0f\n", t.UnitsPerHour)
	fmt.Fprintf(w, "cycle time        %s\n", cycle)
}
