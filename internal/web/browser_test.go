package web_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a page in a headless Chromium.
type browser struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the page's console has said
}

// openBrowser starts Chromium until the test ends.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed, and this test looks at the board with it: run make test, which installs the Debian package chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // as Chromium demands of root
	}
	ctx, closeBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closePage := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		closePage()
		closeBrowser()
	})
	b := &browser{T: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // the context of the first use ends the browser
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	return b
}

// listen keeps what goes wrong in the page. That the station is away, or
// refuses something, is part of the tests.
func (b *browser) listen(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *log.EventEntryAdded:
		problem = e.Entry.Text
	}
	if problem == "" || strings.Contains(problem, "net::ERR_") || strings.Contains(problem, "status of 40") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

func (b *browser) checkConsole() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.Error("the page's console says: ", p)
	}
	b.problems = nil
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

func (b *browser) open(url string) {
	b.Helper()
	b.do(chromedp.Navigate(url))
}

// goes goes back or forward, but only once the page has answered: there may be
// nobody left to do that afterwards.
func (b *browser) goes(where string) {
	b.Helper()
	eval[bool](b, fmt.Sprintf("setTimeout(() => history.%s(), 20), true", where))
}

// patience is how long a page may take on a machine that has other work to do.
const patience = 45 * time.Second

// watching looks at an expression when something changes in the page, until it is
// true. Not all that it may be about is seen to change.
const watching = `new Promise((done) => {
  const look = () => {
    let ok = false;
    try { ok = %s } catch {}
    if (!ok) return;
    clearInterval(timer);
    observer.disconnect();
    done(true);
  };
  const observer = new MutationObserver(look);
  const timer = setInterval(look, 100);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
})`

// wait waits until an expression is true in the page, whatever page that is by
// then.
func (b *browser) wait(what, expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(watching, expression), chromedp.EvalAwaitPromise))
		if err == nil && ok {
			return // otherwise the page has gone while we looked
		}
	}
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	b.Fatalf("%s: %s is not true in\n%s", what, expression, text)
}

// eval returns what an expression is in the page.
func eval[T any](b *browser, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// screen makes the page that large, in pixels of the style sheet, and light or
// dark. It is drawn with as few real pixels as will do, unless people want to
// look at it, and nothing moves: both take much of the processor.
func (b *browser) screen(width, height int64, scheme string) {
	b.Helper()
	scale := 1.0
	if !wanted() {
		scale = min(1, 1280/float64(width))
	}
	b.do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale)))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.Fatal(err)
	}
}

// wanted reports whether screenshots are kept: go test -artifacts does so, and
// says where.
func wanted() bool { return flag.Lookup("test.artifacts").Value.String() == "true" }

func (b *browser) screenshot(name string) {
	b.Helper()
	if !wanted() {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(b.ArtifactDir(), name+".png"), png, 0o600)
	}
	if err != nil {
		b.Error(err)
	}
}

// press sends keys one after the other.
func (b *browser) press(keys ...string) {
	b.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// tile is an expression for the tile of the n-th slot, from 1.
func tile(n int) string { return fmt.Sprintf("document.querySelectorAll('.tile')[%d]", n-1) }

// waitTile waits until a tile shows a state by word, shape and colour.
func (b *browser) waitTile(n int, state, word string) {
	b.Helper()
	b.wait(fmt.Sprintf("tile %d", n), fmt.Sprintf(
		`(t => t && t.dataset.state === %[2]q && t.querySelector(".word").innerText === %[3]q && t.querySelector("use").getAttribute("href") === "#shape-%[2]s")(%[1]s)`,
		tile(n), state, strings.ToUpper(word)))
}

// waitText waits until an element's visible text holds a part.
func (b *browser) waitText(selector, part string) {
	b.Helper()
	b.wait(selector, fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, part))
}
