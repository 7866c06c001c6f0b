package web_test

import (
	"fmt"
)

// look returns what is wrong with how the page looks: what is wider than the
// screen, cut off, smaller than so many pixels, or hard to tell from what is
// behind it. The contrast is that of WCAG 2.
const look = `async (smallest) => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame(); // the page arranges itself anew
  await frame();
  const wrong = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) {
    const right = (e) => e.getBoundingClientRect().right;
    const widest = [...document.querySelectorAll("body *")].reduce((w, e) => (right(e) > right(w) ? e : w));
    wrong.push("the page is " + page.scrollWidth + " pixels wide, by " + widest.outerHTML.slice(0, 80));
  }
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const e = node.parentElement;
    const box = e.getBoundingClientRect();
    if (!node.data.trim() || !e.checkVisibility() || e.closest(".unseen, .skip, noscript, option") || box.width < 2) continue;
    const style = getComputedStyle(e);
    const [x, y] = [luminance(rgba(style.color)), luminance(behind(e))].sort((p, q) => q - p);
    const contrast = (x + 0.05) / (y + 0.05);
    const size = parseFloat(style.fontSize);
    const name = e.tagName + "." + e.className + " “" + node.data.trim().slice(0, 30) + "”";
    if (contrast < 4.5) wrong.push(name + " has a contrast of " + contrast.toFixed(2));
    if (size < smallest) wrong.push(name + " has " + size + " pixels");
    if (box.right > innerWidth + 1) wrong.push(name + " ends at " + Math.round(box.right));
    if (e.matches(".word, .unit, .name, dd") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) wrong.push(name + " is cut off");
  }
  return wrong;
}`

// drawn has the board draw so many slots, in all states and with the longest of
// texts, and returns what of it is not to be seen on the screen.
const drawn = `async (count) => {
  const { drawSlots } = await import("/assets/tiles.js");
  const kinds = [
    { state: "working", phase: "write", progress: 0.4 },
    { state: "pass", message: "The board is provisioned.", advice: "Take the board out." },
    { state: "fail", message: "The flash does not hold what was written.", advice: "Put the board aside as faulty." },
    { state: "error", message: "No answer from the chip, and resetting its USB port did not help.",
      advice: "Take the board out, switch the slot's power off and on (or pull the cable of its hub or adapter for a moment), and put the board in again; if that does not help, check the slot's IO0 and EN pins." },
    { state: "refused", message: "This unit has passed before.", advice: "This board is already done: take it out. To provision it again use flashd rework." },
    { state: "working", phase: "credentials", progress: 0.8, message: "Waiting for the config server.", rework: "nvs" },
    { state: "empty", progress: 0, lastUnit: "348518000001", lastWord: "pass" },
  ];
  const now = new Date().toISOString();
  const slots = [...Array(count).keys()].map((i) => ({ name: String(i + 1), path: "9-" + (i + 1), since: now, progress: 0, unit: i % 7 === 6 ? "" : "348518000001", ...kinds[i % 7] }));
  drawSlots({ now, slots }, () => {});
  const wrong = [];
  // On a small screen the charts are below it.
  if (document.documentElement.scrollHeight > innerHeight && innerHeight >= 800) wrong.push("the page is " + document.documentElement.scrollHeight + " pixels high");
  for (const tile of document.querySelectorAll(".tile")) {
    const name = "tile " + tile.querySelector(".name").innerText + " (" + tile.dataset.state + ") ";
    if (tile.getBoundingClientRect().bottom > innerHeight) wrong.push(name + "is below the screen");
    if (tile.scrollHeight > tile.clientHeight + 1) wrong.push(name + "has no room for " + (tile.scrollHeight - tile.clientHeight) + " pixels");
    if (tile.querySelector(".word").scrollWidth > tile.querySelector(".word").clientWidth + 1) wrong.push(name + "has no room for its word");
  }
  return wrong;
}`

// testManySlots looks whether all of a board is on the screen, whatever happens.
func testManySlots(b *browser, j *jig) {
	b.open(j.url("/"))
	b.waitText("#release", "demo")
	for _, s := range []struct{ width, height, slots int64 }{{1280, 800, 8}, {1366, 768, 32}, {1080, 1920, 64}, {1920, 1080, 8}, {1920, 1080, 32}, {3840, 2160, 8}, {3840, 2160, 64}} {
		b.screen(s.width, s.height, "dark")
		b.wait("the page has settled", fmt.Sprintf(`innerWidth === %d`, s.width))
		for _, wrong := range eval[[]string](b, fmt.Sprintf("(%s)(%d)", drawn, s.slots)) {
			b.Errorf("%d slots at %d by %d: %s", s.slots, s.width, s.height, wrong)
		}
		b.screenshot(fmt.Sprintf("%d-slots-%d", s.slots, s.width))
	}
}

// looksRight looks at the page that is open in the hand, on a desk and on the wall.
func (b *browser) looksRight(page string) {
	b.Helper()
	for _, s := range []struct {
		width, height int64
		scheme        string
		smallest      int // of the text, in pixels
	}{{360, 740, "light", 11}, {3840, 2160, "light", 26}, {1280, 800, "dark", 13}} {
		b.screen(s.width, s.height, s.scheme)
		b.wait("the page has settled", fmt.Sprintf(`innerWidth === %d && matchMedia("(prefers-color-scheme: %s)").matches`, s.width, s.scheme))
		for _, wrong := range eval[[]string](b, fmt.Sprintf("(%s)(%d)", look, s.smallest)) {
			b.Errorf("%s at %d pixels, %s: %s", page, s.width, s.scheme, wrong)
		}
		b.screenshot(fmt.Sprintf("%s-%d-%s", page, s.width, s.scheme))
		if page == "board" && s.width >= 1280 {
			b.wait("all tiles are on the screen", `[...document.querySelectorAll(".tile")].every((t) => t.getBoundingClientRect().bottom < innerHeight)`)
		}
	}
}
