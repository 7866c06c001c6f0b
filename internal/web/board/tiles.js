// The tiles, one for each slot.

import { $, put, show, words, phrase, duration } from "./lib.js";
import { arrange } from "./arrange.js";

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
  arrange([...tiles.values()], changed);
}

// rearrange has the tiles fill the screen again after its size has changed.
export function rearrange() {
  arrange([...tiles.values()]);
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
// to come usually take. A unit that waits has no such time, nor has one whose phase
// takes far longer than usual: its chip may never answer.
function timeLeft(tile) {
  const at = phaseIndex(tile.slot);
  if (at < 0 || tile.slot.message) return "";
  const inPhase = (stationNow() - tile.phaseBegan) / 1000;
  if (inPhase > 2 * usual[at].median + 1) return "";
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
