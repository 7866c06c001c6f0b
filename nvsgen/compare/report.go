package main

import (
	"fmt"
	"strings"
)

// row is a case and how each subject did on it.
type row struct {
	vector
	verdicts []verdict
}

// compare runs everything and returns the report in Markdown.
func compare(dir string) (string, error) {
	vectors, err := loadVectors(dir)
	if err != nil {
		return "", err
	}
	made, err := generateAll(vectors)
	if err != nil {
		return "", err
	}
	read, err := parseAll(vectors)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| " + strings.Join(append([]string{"package", "task", "cases"}, grades...), " | ") + " |\n")
	b.WriteString("|---|---" + strings.Repeat("|--:", 1+len(grades)) + "|\n")
	for i, s := range subjects {
		summarize(&b, s.name, "generate", made, i)
		summarize(&b, s.name, "parse", read, i)
	}
	for i, s := range subjects {
		list(&b, s.name+", generating", made, i)
		list(&b, s.name+", parsing", read, i)
	}
	return b.String(), nil
}

// generateAll makes the partition of each case that a CSV file describes well:
// where the file itself is wrong no package comes into it.
func generateAll(vectors []vector) (rows []row, err error) {
	for _, v := range vectors {
		if v.size == 0 {
			continue
		}
		r, err := v.request()
		if err != nil {
			continue
		}
		golden, err := v.file(".bin")
		if err != nil {
			return nil, err
		}
		line := row{vector: v}
		for _, s := range subjects {
			line.verdicts = append(line.verdicts, judgeGenerate(s, v, r, golden))
		}
		rows = append(rows, line)
	}
	return rows, nil
}

func parseAll(vectors []vector) (rows []row, err error) {
	for _, v := range vectors {
		want, err := v.seen()
		if err != nil {
			return nil, err
		}
		if want == nil {
			continue
		}
		image, err := v.file(".bin")
		if err != nil {
			return nil, err
		}
		line := row{vector: v}
		for _, s := range subjects {
			keys, err := v.keysOf(image)
			if !want.Encrypted {
				keys, err = nil, nil
			}
			if err != nil {
				return nil, err
			}
			line.verdicts = append(line.verdicts, judgeParse(s, image, keys, want))
		}
		rows = append(rows, line)
	}
	return rows, nil
}

func summarize(b *strings.Builder, name, task string, rows []row, subject int) {
	counts := make([]int, len(grades))
	for _, r := range rows {
		counts[r.verdicts[subject].grade]++
	}
	fmt.Fprintf(b, "| %s | %s | %d |", name, task, len(rows))
	for _, n := range counts {
		fmt.Fprintf(b, " %d |", n)
	}
	b.WriteString("\n")
}

// list tells what a subject gets wrong, if anything.
func list(b *strings.Builder, title string, rows []row, subject int) {
	begun := false
	for _, r := range rows {
		v := r.verdicts[subject]
		if v.grade == right {
			continue
		}
		if !begun {
			fmt.Fprintf(b, "\n### %s\n\n| case | what it is | grade | what happens |\n|---|---|---|---|\n", title)
			begun = true
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", r.name, cell(about(r.text)), grades[v.grade], cell(v.text))
	}
}

// about is the description of a case without command and result.
func about(text string) string {
	text, _, _ = strings.Cut(text, "`")
	text, _, _ = strings.Cut(text, "; pages ")
	text, _, _ = strings.Cut(text, ". nvsread")
	text, _, _ = strings.Cut(text, ". from ")
	text, _, _ = strings.Cut(text, ". pages ")
	text, _, _ = strings.Cut(text, ". nvsgen-")
	return strings.TrimRight(strings.TrimSpace(text), ".")
}

func cell(text string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text) }
