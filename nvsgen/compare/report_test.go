package main

import (
	"os"
	"strings"
	"testing"
)

const kept = "../BENCHMARKS.md"

// The tables that are kept are those that the program prints now, and nvsgen
// has nothing in them.
func TestReportIsCurrent(t *testing.T) {
	report, err := compare(vectorDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), report) {
		t.Errorf("%s has other tables than go run . prints:\n%s", kept, report)
	}
	if strings.Contains(report, "### nvsgen") {
		t.Error("nvsgen gets vectors wrong")
	}
}
