package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// The board is looked at in a real browser, with a real station behind it.
// The parts build on each other: starting a browser takes seconds.
func TestBoardInBrowser(t *testing.T) {
	j := newJig(t)
	j.start("v1", "")
	b := openBrowser(t)
	b.screen(1280, 800, "light")
	b.open(j.url("/"))

	for _, part := range []struct {
		name string
		test func(*browser, *jig)
	}{
		{"live", testLive},
		{"keyboard", testKeyboard},
		{"pages", testPages},
		{"scan", testScan},
		{"restart", testRestart},
		{"rework", testRework},
		{"archive", testArchive},
		{"many slots", testManySlots},
	} {
		begun := time.Now()
		part.test(b, j)
		t.Logf("%s: %v", part.name, time.Since(begun).Round(time.Millisecond))
	}
	b.checkConsole()
}

// Units that the tests know.
const (
	passing = 1 + iota
	second
	faulty
	strange
)

func testLive(b *browser, j *jig) {
	for n := 1; n <= 8; n++ {
		b.waitTile(n, "empty", "empty")
	}
	b.waitText("#release", "demo")
	b.waitText("#units", "0")

	// A unit that waits for its credentials is at work until it gets them.
	release := j.source.hold()
	first := j.plug(1, passing)
	b.waitTile(1, "working", "working")
	b.waitText(".tile .unit", first)
	b.waitText(".tile .doing", "Credentials")
	b.wait("progress", tile(1)+`.querySelector("progress").value > 0.5 && parseInt(`+tile(1)+`.querySelector(".percent").innerText) > 50`)
	release()
	b.waitTile(1, "pass", "pass")
	b.waitText(".tile .advice", "Take the board out.")
	b.waitText("#units", "1")
	b.waitText("#firstPass", "100 %")
	b.waitText(".hour.now .count", "1")

	// Now it is known how long a unit takes.
	release = j.source.hold()
	j.plug(2, second)
	j.source.forget("348518000004")
	j.plug(4, strange)
	b.waitTile(2, "working", "working")
	b.wait("time left", `/left|nearly/.test(`+tile(2)+`.querySelector(".left").innerText)`)
	b.wait("no time left where it is not known", tile(2)+`.querySelector(".left").innerText === "" && `+tile(2)+`.querySelector(".doing").innerText === "Credentials" && `+tile(2)+`.querySelector(".message").innerText === ""`)
	b.waitTile(4, "error", "rig error")
	b.waitText(".failures .rigFault", "1")
	release()
	j.plug(3, faulty, espsim.Fault{Kind: espsim.DeadSector, Address: 0x10000})
	b.waitTile(2, "pass", "pass")
	b.waitTile(3, "fail", "fail")
	b.waitText(".failures .unitFault", "1")
	b.waitText("#units", "3")
	b.waitText("#counts", "2 passed · 1 failed · 1 rig errors")

	j.unplug(2)
	b.waitTile(2, "empty", "empty")
	j.plug(2, second)
	b.waitTile(2, "refused", "refused")
	b.wait("what to do", tile(2)+`.querySelector(".advice").innerText.includes("already done")`)
	b.wait("what is said", `document.querySelector("#spoken").textContent.includes("Slot 2: refused")`)
	b.looksRight("board")
}

func testKeyboard(b *browser, j *jig) {
	focused := func(what, selector string) string {
		return fmt.Sprintf("document.activeElement === %s.querySelector(%q)", what, selector)
	}
	eval[bool](b, `document.querySelector("#findUnit").focus(), true`)
	for range 30 { // past the button of the search and the release
		if eval[bool](b, focused(tile(1), ".open")) {
			break
		}
		b.press("\t")
	}
	b.press("\t")
	b.wait("the second tile has the focus", focused(tile(2), ".open"))
	b.press("\r")
	b.wait("the dialog is open", `document.querySelector("#slot").open`)
	b.waitText("#slotTitle", "Slot 2")
	b.wait("attempts are listed", `document.querySelectorAll("#slotAttempts tbody tr").length === 2`)
	b.press("\x1b")
	b.wait("the dialog is closed", `!document.querySelector("#slot").open`)
	b.wait("the focus is back", focused(tile(2), ".open"))

	// With the mouse, and while something happens.
	eval[bool](b, tile(5)+`.querySelector(".open").click(), true`)
	b.waitText("#slotState", "empty")
	j.unplug(2)
	j.plug(5, second)
	b.waitText("#slotState", "refused")
	b.waitText("#slotMessage", "already done")
	b.press("\x1b")
}

// testPages goes from page to page as people do: by what can be clicked.
func testPages(b *browser, j *jig) {
	click := func(selector string) {
		b.Helper()
		b.wait("something to click", fmt.Sprintf(`document.querySelector(%q)`, selector))
		eval[bool](b, fmt.Sprintf(`document.querySelector(%q).click(), true`, selector))
	}
	rows := func(what string, n int) {
		b.Helper()
		b.wait(what, fmt.Sprintf(`document.querySelectorAll("#list tbody tr").length === %d`, n))
	}
	eval[bool](b, tile(3)+`.querySelector(".open").click(), true`)
	click("#slotState a")
	b.waitText("#title", "348518000003")
	b.waitText("#attempts", "The flash does not hold what was written.")
	b.waitText("#attempts .legend .failed", "Verify")
	b.waitText("#attempts .legend", "Ask the record")
	b.looksRight("unit")

	b.goes("back")
	b.waitTile(3, "fail", "fail")
	click(".failures .unitFault a")
	b.wait("its attempts", `location.search.includes("kind=mismatch")`)
	rows("its attempts", 1)
	b.looksRight("attempts")
	eval[bool](b, `document.querySelector("[name=kind]").value = "", document.querySelector("[name=since]").value = "", document.querySelector("[name=slot]").value = "2",
		document.querySelector("#filter").requestSubmit(), true`)
	b.wait("the address says it", `location.search === "?slot=2"`)
	rows("attempts in the slot", 2)
	csv := eval[string](b, `fetch(document.querySelector("#csv").href).then((r) => r.text())`)
	if lines := strings.Count(csv, "\n"); lines != 3 || !strings.Contains(csv, "348518000002") {
		b.Errorf("CSV of the two attempts in slot 2:\n%s", csv)
	}

	// An ID that is scanned leads to its unit, part of one to a list.
	find := func(text string) {
		eval[bool](b, `document.querySelector("#findUnit").focus(), true`)
		b.press(text, "\r")
	}
	find("34:85:18:00:00:01")
	b.waitText("#title", "348518000001")
	b.waitText("#facts", "demo")
	// Over the network, without a token, nothing can be changed, and the form says so.
	b.waitText("#rework", "the station has no token")
	b.wait("no form is left", `!document.querySelector(".reworkForm")`)
	click(".pages [href='/reworks']")
	b.waitText("#impossible", "the station has no token")
	b.looksRight("impossible")
	b.goes("back")
	b.waitText("#title", "348518000001")

	find("0000")
	rows("units found", 4)
	b.looksRight("units")
	b.goes("back")
	b.waitText("#title", "348518000001")
	b.goes("forward")
	rows("units found again", 4)
	find("xyz")
	b.waitText("#note.wrong", "want a device ID or a part of it")
	find("A1B2C3D4E5F6")
	b.waitText("#note.wrong", "no such unit")

	click(".pages [href='/releases']")
	b.waitText("#releases", "in use")
	b.waitText("#releases .digest", j.release.Digest)
	b.looksRight("releases")
}

// testScan scans labels as operators do: with a scanner, which types the ID and
// presses Enter, wherever the focus is.
func testScan(b *browser, j *jig) {
	scan := func(id string) {
		b.Helper()
		b.press(id, "\r")
		b.waitText("#title", strings.ToUpper(strings.ReplaceAll(id, ":", "")))
	}
	for _, what := range []string{"no focus", "focus on a tile", "dialog"} {
		b.open(j.url("/"))
		b.waitTile(3, "fail", "fail")
		switch what {
		case "focus on a tile":
			eval[bool](b, tile(3)+`.querySelector(".open").focus(), true`)
		case "dialog":
			eval[bool](b, tile(3)+`.querySelector(".open").click(), true`)
			b.wait("the dialog is open", `document.querySelector("#slot").open`)
		}
		scan("34:85:18:00:00:02")
	}

	b.open(j.url("/reworks"))
	b.waitText("#note", "Nobody has allowed a rework yet.")
	scan("348518000003")

	// What is typed into a field stays there.
	b.open(j.url("/units"))
	b.wait("the units", `document.querySelector("#list tbody")`)
	eval[bool](b, `document.querySelector("[name=q]").focus(), true`)
	b.press("0002", "\r")
	b.wait("the search", `location.search.includes("q=0002")`)
}

// reason is what a rework is allowed for. Nobody's page is to run it.
const reason = `<img src=x onerror=alert(1)> broker moved`

func fillRework(b *browser) {
	b.Helper()
	eval[bool](b, `document.querySelector("details:has(.reworkForm)").open = true,
		document.querySelector("[name=reason]").value = "`+reason+`",
		document.querySelector("[name=by]").value = "Kim",
		document.querySelector(".reworkForm").requestSubmit(), true`)
}

func testRestart(b *browser, j *jig) {
	b.open(j.url("/"))
	b.waitTile(1, "pass", "pass")
	eval[bool](b, `window.sameDocument = true`)
	j.stop()
	b.waitText("#lost", "No contact with the station")
	b.wait("what is old looks old", `document.body.classList.contains("lost")`)

	j.start("v1", "")
	b.wait("contact again", `document.querySelector("#lost").hidden && !document.body.classList.contains("lost")`)
	b.waitTile(1, "empty", "empty")
	b.waitText("#units", "3") // as the record has it
	b.wait("the same page", `window.sameDocument === true`)

	j.stop()
	j.start("v2", token)
	b.waitText("#version", "v2")
	b.wait("a new page", `window.sameDocument === undefined`)
}

const token = "a token of the station"

// testRework allows reworks where there is a token for that.
func testRework(b *browser, j *jig) {
	j.plug(1, passing)
	b.waitTile(1, "refused", "refused")
	eval[bool](b, tile(1)+`.querySelector(".open").click(), true`)
	b.wait("the form", `document.querySelector("#slot .reworkForm")`)
	b.wait("the token is asked for at once", `!document.querySelector("[name=token]").closest("label").hidden`)
	fillRework(b)
	b.wait("the token is asked for again", `document.activeElement.name === "token"`)
	b.waitText(".reworkForm .wrong", "The station wants its token")
	b.press("another token", "\r")
	b.waitText(".reworkForm .wrong", "That is not this station's token. It is a password: ask the engineer for it.")
	release := j.source.hold()
	eval[bool](b, `document.querySelector("[name=token]").value = "", document.querySelector("[name=token]").focus(), true`)
	b.press(token, "\r")
	b.waitTile(1, "working", "working")
	b.wait("the tile says that it is a rework", `!`+tile(1)+`.querySelector(".rework").hidden`)
	release()
	b.waitTile(1, "pass", "pass")

	eval[bool](b, `document.querySelector("#slotState a").click(), true`)
	b.waitText("#reworks", reason)
	b.waitText("#reworks", "done")
	b.waitText("#attempts", "firmware is still that of demo, proved by the chip")
	j.unplug(1)
	b.wait("the form", `document.querySelector(".reworkForm")`)
	if by := eval[string](b, `document.querySelector("[name=by]").value`); by != "Kim" {
		b.Errorf("the form has forgotten the name: %q", by)
	}
	fillRework(b) // the token is known in this tab
	b.waitText("#rework .banner", reason)

	eval[bool](b, `document.querySelector(".pages [href='/reworks']").click(), true`)
	b.waitText("#armed", "348518000001")
	b.waitText("#list", "done")
	b.looksRight("reworks")
	eval[bool](b, `document.querySelector("#armed details").open = true,
		document.querySelector("#armed [name=reason]").value = "wrong unit",
		document.querySelector("#armed form").requestSubmit(), true`)
	b.waitText("#armedNote", "None is armed.")
	b.waitText("#list", "by Kim: wrong unit")
	eval[bool](b, `document.querySelector("[name=state]").value = "cancelled", document.querySelector("#filter").requestSubmit(), true`)
	b.wait("the cancelled one", `location.search === "?state=cancelled" && document.querySelectorAll("#list tbody tr").length === 1`)
	if eval[string](b, `JSON.stringify(localStorage)`) != `{"flashd name":"Kim"}` {
		b.Error("more than the name is kept when the tab is closed: ", eval[string](b, `Object.keys(localStorage).join()`))
	}
}

// testArchive looks at a unit whose attempts are no longer in the record.
func testArchive(b *browser, j *jig) {
	if _, err := j.store.Archive(b.Context(), b.TempDir(), time.Now()); err != nil {
		b.Fatal(err)
	}
	b.open(j.url("/units/348518000003"))
	b.waitText("#archived", "1 attempt is in an archive, and not shown here. On the station: flashd jobs --unit 348518000003 --archive FILE")
	b.open(j.url("/units/348518000001"))
	b.waitText("#archived", "3 attempts are in archives")
	b.looksRight("archived")
}
