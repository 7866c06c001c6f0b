// How the tiles share the screen. A tile is {root, advice, …}, as tiles.js makes it.

import { $ } from "./lib.js";

const gap = 0.8; // between tiles, in rem, as board.css has it
const leastRow = 6; // what letters can still be read in, in rem
const plainRow = 10; // what everything has room in, in rem
const tallRow = 14; // what a large shape above the word has room in, in rem
const leastLetter = 13; // in pixels

let arranged = ""; // how the tiles are now

// arrange has the tiles fill a screen on the wall or on a desk, above the charts,
// or else with the charts below the screen. Where their letters were too small
// then, and in the hand, the page is scrolled. Texts are fitted into all tiles if
// those are another size, else into those that have changed.
export function arrange(tiles, changed = []) {
  const list = $("slots");
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  list.classList.toggle("many", tiles.length > 16); // which makes the charts smaller
  const width = list.clientWidth;
  const { fits, columns, row, height } = place(tiles.length, width, rem);
  const now = [fits, width, columns, row, rem].join();
  if (now === arranged) {
    fit(changed);
    return;
  }
  arranged = now;
  const dense = fits && row < plainRow * rem;
  list.classList.toggle("wall", fits);
  list.classList.toggle("dense", dense);
  list.classList.toggle("flat", row >= plainRow * rem && row < tallRow * rem && width / columns > 1.3 * row);
  list.style.setProperty("--columns", columns);
  list.style.setProperty("--row", (fits ? row : Math.max(row, plainRow * rem)) + "px");
  list.style.setProperty("--least", dense ? Math.max(0.7, leastLetter / (0.9 * rem)) : 1);
  list.style.setProperty("--height", fits ? height + "px" : "auto");
  fit(tiles);
}

// place chooses the columns for so many tiles, and tells the height of a row and of
// all, and whether they fit on the screen without being scrolled.
function place(count, width, rem) {
  const whole = innerHeight - ($("slots").getBoundingClientRect().top + scrollY) - gap * rem;
  const aboveCharts = whole - $("charts").offsetHeight - document.querySelector("footer").offsetHeight - 2 * gap * rem;
  const wide = width >= 60 * rem;
  for (const height of wide ? [aboveCharts, whole] : []) {
    const best = columnsFor(count, width, height, rem);
    if (best.row >= leastRow * rem) return { fits: true, height, ...best };
  }
  const height = Math.max(wide ? aboveCharts : whole, 16 * rem);
  return { fits: false, height, ...columnsFor(count, width, height, rem) };
}

// columnsFor chooses as many columns as make the tiles largest; rather such that no
// row is left half empty.
function columnsFor(count, width, height, rem) {
  const narrowest = (width < 40 * rem ? 17 : 11) * rem;
  let best = { columns: 1, row: height / count - gap * rem, size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    if (columns > 1 && width / columns < narrowest) break;
    const size = Math.min(width / columns, (1.2 * height) / rows) * (count % columns ? 0.88 : 1);
    if (size > best.size) best = { columns, row: height / rows - gap * rem, size };
  }
  return best;
}

// fit makes smaller what a tile has no room for, and in a small one leaves out since
// when; then leaves out why, then which unit, and cuts the end of a long advice off:
// pressing the tile tells all. It measures all tiles before it changes any: each turn
// costs time.
function fit(list) {
  const levels = ["tight", "tighter", "tightest"];
  const over = ({ root }) => root.scrollHeight - root.clientHeight;
  for (const { root } of list) {
    root.classList.remove(...levels);
    root.style.removeProperty("--lines");
  }
  for (const level of levels) {
    list = list.filter((tile) => over(tile) > 1);
    for (const { root } of list) root.classList.add(level);
  }
  const cut = list.map((tile) => [tile, over(tile)]).filter(([, much]) => much > 1)
    .map(([{ root, advice }, much]) => [root, Math.floor((advice.offsetHeight - much) / parseFloat(getComputedStyle(advice).lineHeight))]);
  for (const [root, lines] of cut) root.style.setProperty("--lines", Math.max(1, lines));
}
