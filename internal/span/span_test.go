package span_test

import (
	"testing"
	"time"

	"hoptech.co.nz/flashd/internal/span"
)

var now = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func TestBeforeAndAfter(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 12, 0, 0, 0, time.UTC) }
	for text, want := range map[string][2]time.Time{
		"30m":  {now.Add(-30 * time.Minute), now.Add(30 * time.Minute)},
		"8h":   {now.Add(-8 * time.Hour), now.Add(8 * time.Hour)},
		"7d":   {day(2026, 3, 24), day(2026, 4, 7)},
		"2w":   {day(2026, 3, 17), day(2026, 4, 14)},
		"18mo": {day(2024, 10, 1), day(2027, 10, 1)}, // there is no 31 September
		"2y":   {day(2024, 3, 31), day(2028, 3, 31)},
	} {
		before, ok := span.Before(now, text)
		after, ok2 := span.After(now, text)
		if !ok || !ok2 || !before.Equal(want[0]) || !after.Equal(want[1]) {
			t.Errorf("%s: %v and %v, want %v", text, before, after, want)
		}
	}
}

func TestWhatIsNoSpan(t *testing.T) {
	for _, text := range []string{"", "d", "0d", "-1d", "1.5y", "1 d", "1D", "7", "0h", "-1h", "100001d", "99999999999999999999d"} {
		if at, ok := span.Before(now, text); ok {
			t.Errorf("before %q: %v", text, at)
		}
		if at, ok := span.After(now, text); ok {
			t.Errorf("after %q: %v", text, at)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"2y", "18mo", "26w", "90d", "", "y", "0d", "-1d", "1h", "-1h", "99999999999999999999d", "1 d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if before, ok := span.Before(now, text); ok && !before.Before(now) {
			t.Errorf("%q: %v is not before", text, before)
		}
		if after, ok := span.After(now, text); ok && !after.After(now) {
			t.Errorf("%q: %v is not after", text, after)
		}
	})
}
