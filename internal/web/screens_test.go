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
