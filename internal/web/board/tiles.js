// The tiles, one for each slot.

import { $, put, show, words, phrase, duration } from "./lib.js";

const tiles = new Map(); // by path
let clockSkew = 0; // station's clock minus ours, in ms
let usual = []; // [{name, median}], how long each phase takes, in order

export const stationNow = () => Date.now() + clockSkew;

export function setUsualTimes(phases) {
  usual = phases;
}

// drawSlots shows the slots of a view. Pressing one calls open with its slot.
export function drawSlots(v, open) {
  clockSkew = Date.parse(v.now) - Date.now();
  const list = $("slots");
  const paths = new Set(v.slots.map((s) => s.path));
  const changed = []; // tiles with other texts
  for (const [path, tile] of tiles) {
    if (!paths.has(path)) {
      tile.root.remove();
      tiles.delete(path);
    }
  }
  v.slots.forEach((slot, i) => {
    const tile = tiles.get(slot.path) ?? newTile(slot, open);
    if (list.children[i] !== tile.root) list.insertBefore(tile.root, list.children[i] ?? null);
    if (drawTile(tile, slot)) changed.push(tile);
  });
  show($("none"), v.slots.length === 0);
  arrange(changed);
}

let arranged = ""; // how the tiles are now
const gap = 0.8; // between tiles, in rem, as board.css has it
const leastRow = 6; // what letters can still be read in, in rem
const plainRow = 10; // what everything has room in, in rem
const leastLetter = 13; // in pixels
const tallRow = 14; // what a large shape above the word has room in, in rem

// arrange has the tiles fill a screen on the wall or on a desk, above the charts,
// or else with the charts below the screen. Where their letters were too small
// then, and in the hand, the page is scrolled. Texts are fitted into all tiles if
// those are another size, else into those that have changed.
export function arrange(changed = []) {
  const list = $("slots");
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  list.classList.toggle("many", tiles.size > 16); // which makes the charts smaller
  const width = list.clientWidth;
  const whole = innerHeight - (list.getBoundingClientRect().top + scrollY) - gap * rem;
  const aboveCharts = whole - $("charts").offsetHeight - document.querySelector("footer").offsetHeight - 2 * gap * rem;
  const wide = width >= 60 * rem;
  const fitting = wide && [aboveCharts, whole].map((height) => ({ height, ...columnsFor(width, height, rem) })).find(({ row }) => row >= leastRow * rem);
  const { columns, row, height } = fitting || columnsFor(width, Math.max(wide ? aboveCharts : whole, 16 * rem), rem);
  const now = [Boolean(fitting), width, columns, row, rem].join();
  if (now === arranged) {
    fit(changed);
    return;
  }
  arranged = now;
  list.classList.toggle("wall", Boolean(fitting));
  list.classList.toggle("dense", Boolean(fitting) && row < plainRow * rem);
  list.classList.toggle("flat", row >= plainRow * rem && row < tallRow * rem && width / columns > 1.3 * row);
  list.style.setProperty("--columns", columns);
  list.style.setProperty("--row", (fitting ? row : Math.max(row, plainRow * rem)) + "px");
  list.style.setProperty("--least", fitting && row < plainRow * rem ? Math.max(0.7, leastLetter / (0.9 * rem)) : 1);
  list.style.setProperty("--height", fitting ? height + "px" : "auto");
  fit([...tiles.values()]);
}

// As many columns as make the tiles largest; rather such that no row is left half empty.
function columnsFor(width, height, rem) {
  const narrowest = (width < 40 * rem ? 17 : 11) * rem;
  let best = { columns: 1, row: height / tiles.size - gap * rem, size: 0 };
  for (let columns = 1; columns <= tiles.size; columns++) {
    const rows = Math.ceil(tiles.size / columns);
    if (columns > 1 && width / columns < narrowest) break;
    const size = Math.min(width / columns, (1.2 * height) / rows) * (tiles.size % columns ? 0.88 : 1);
    if (size > best.size) best = { columns, row: height / rows - gap * rem, size };
  }
  return best;
}

// fit makes smaller what a tile has no room for, and in a small one leaves out since
// when; then leaves out why, then which unit, and cuts the end of a long advice off: pressing the tile tells all. It
// measures all tiles before it changes any: each turn costs time.
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

function newTile(slot, open) {
  const root = $("tile").content.firstElementChild.cloneNode(true);
  const part = (selector) => root.querySelector(selector);
  const tile = {
    root, slot: null, phaseBegan: 0,
    name: part(".name"), since: part(".since"), use: part("use"), word: part(".word"), rework: part(".rework"), unit: part(".unit"),
    doing: part(".doing"), left: part(".left"), percent: part(".percent"), bar: part("progress"), message: part(".message"), advice: part(".advice"),
  };
  part(".open").addEventListener("click", () => open(tile.slot));
  tiles.set(slot.path, tile);
  return tile;
}

// drawTile reports whether other texts are in the tile now.
function drawTile(tile, slot) {
  const before = tile.slot;
  tile.slot = slot;
  if (before?.state !== slot.state) {
    tile.root.dataset.state = slot.state;
    tile.use.setAttribute("href", "#shape-" + slot.state);
    put(tile.word, words[slot.state] ?? slot.state);
    if (before) announce(slot);
  }
  if (before?.phase !== slot.phase || before?.attempt !== slot.attempt || before?.message !== slot.message) {
    // Of a phase that was under way when the page was loaded, the beginning is a guess.
    tile.phaseBegan = before?.attempt ? stationNow() : Math.min(stationNow(), Date.parse(slot.since) + 1000 * sum(usual.slice(0, phaseIndex(slot))));
  }
  tile.root.classList.toggle("fresh", Boolean(before) && stationNow() - Date.parse(slot.since) < 1000);
  tile.root.title = slot.path + (slot.chip ? " · " + slot.chip : "");
  put(tile.name, slot.name);
  tile.root.classList.toggle("long", slot.name.length > 8);
  put(tile.rework, slot.rework === "armed" ? "rework allowed" : slot.rework === "all" ? "rework: everything" : "rework");
  show(tile.rework, Boolean(slot.rework));
  put(tile.unit, slot.unit || last(slot));
  put(tile.doing, phrase(slot.phase || "starting"));
  put(tile.percent, Math.floor(slot.progress * 100) + " %");
  tile.bar.value = slot.progress;
  tile.root.style.setProperty("--progress", slot.progress);
  tile.bar.setAttribute("aria-label", "Progress in slot " + slot.name);
  put(tile.message, slot.message ?? "");
  put(tile.advice, slot.advice ?? "");
  drawTimes(tile);
  return ["state", "unit", "message", "advice", "rework", "lastUnit"].some((key) => before?.[key] !== slot[key]);
}

function last(slot) {
  return slot.state === "empty" && slot.lastUnit ? "Last: " + slot.lastUnit + " " + (words[slot.lastWord] ?? "") : "";
}

function drawTimes(tile) {
  const { slot } = tile;
  const past = Math.max(0, stationNow() - Date.parse(slot.since));
  put(tile.since, slot.state === "empty" && !slot.lastUnit ? "" : duration(past / 1000));
  put(tile.left, slot.state === "working" ? timeLeft(tile) : "");
}

// tick lets the times go on.
export function tick() {
  tiles.forEach(drawTimes);
}

// timeLeft says how long the unit will take from now, by how long the phases
// to come usually take. A unit that waits has no such time.
function timeLeft(tile) {
  const at = phaseIndex(tile.slot);
  if (at < 0 || tile.slot.message) return "";
  const inPhase = (stationNow() - tile.phaseBegan) / 1000;
  // A rework of the NVS partition leaves these two out.
  const skipped = (p) => tile.slot.rework === "nvs" && (p.name === "write" || p.name === "verify");
  const left = Math.max(0, usual[at].median - inPhase) + sum(usual.slice(at + 1).filter((p) => !skipped(p)));
  return left < 1 ? "nearly done" : duration(Math.ceil(left)) + " left";
}

function phaseIndex(slot) {
  return usual.findIndex((p) => p.name === slot.phase);
}

function sum(phases) {
  return phases.reduce((all, p) => all + p.median, 0);
}

// Said to those who listen to the board.
function announce(slot) {
  if (slot.state === "working" || slot.state === "empty") return;
  put($("spoken"), ["Slot " + slot.name + ": " + words[slot.state] + ".", slot.message, slot.advice].filter(Boolean).join(" "));
}
