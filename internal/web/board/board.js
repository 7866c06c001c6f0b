"use strict";

// Draws station.View (see /api/v1/status) as it comes from /api/v1/events.

const words = { empty: "empty", working: "working", pass: "pass", fail: "fail", error: "rig error", refused: "refused" };

// The server says something every 15 seconds; this long without is a lost line.
const patience = 40_000;

const $ = (id) => document.getElementById(id);
const tiles = new Map(); // by path
let view = null;
let clockSkew = 0; // station's clock minus ours, in ms
let heard = Date.now();
let lost = false;
let source = null;
let connected = 0; // when we last began to

// Changing a text that has not changed would disturb selections and screen readers.
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, shown) {
  element.hidden = !shown;
}

// ---- the line above

function drawHeader(v) {
  put($("station"), v.station);
  put($("release"), v.release);
  put($("version"), v.version);
  show($("simulated"), v.simulated);
  const t = v.totals;
  put($("units"), String(t.units));
  put($("passed"), String(t.passed));
  put($("failed"), String(t.failed));
  put($("yield"), t.units ? percent(t.passed / t.units) : "–");
  put($("firstPass"), t.units ? percent(t.firstPassYield) : "–");
  put($("perHour"), t.units ? String(Math.round(t.unitsPerHour)) : "–");
  put($("cycle"), t.passed ? seconds(t.cycleMedian) : "–");
  $("cycle").title = t.passed ? "median; 95 % take less than " + seconds(t.cycleP95) : "";
  put($("counts"), "Rig errors " + t.errors + " · refused " + t.refused + " · since " + moment(v.started));
  put($("held"), v.held ? "Line held: " + v.held : "");
  show($("held"), Boolean(v.held));
  document.title = title(v);
}

function title(v) {
  const count = (state) => v.slots.filter((s) => s.state === state).length;
  const parts = ["fail", "error", "working", "pass"].map((s) => [count(s), words[s]]).filter(([n]) => n > 0);
  return (v.held ? "HELD · " : "") + [...parts.map((p) => p.join(" ")), v.station].join(" · ");
}

// ---- the slots

function drawSlots(v) {
  const list = $("slots");
  const paths = new Set(v.slots.map((s) => s.path));
  for (const [path, tile] of tiles) {
    if (!paths.has(path)) {
      tile.root.remove();
      tiles.delete(path);
    }
  }
  v.slots.forEach((slot, i) => {
    const tile = tiles.get(slot.path) ?? newTile(slot);
    if (list.children[i] !== tile.root) list.insertBefore(tile.root, list.children[i] ?? null);
    drawTile(tile, slot);
  });
  show($("none"), v.slots.length === 0);
  arrange();
}

// As many columns as make the tiles largest: those of a wall must fill it.
function arrange() {
  const list = $("slots");
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = list.clientWidth;
  const height = innerHeight - list.offsetTop - 3 * rem;
  const narrowest = (width < 40 * rem ? 17 : 11) * rem;
  let best = 1;
  let size = 0;
  for (let columns = 1; columns <= tiles.size; columns++) {
    const w = width / columns;
    const h = height / Math.ceil(tiles.size / columns);
    if (columns > 1 && w < narrowest) break;
    if (Math.min(w, 1.2 * h) > size) {
      size = Math.min(w, 1.2 * h);
      best = columns;
    }
  }
  list.style.setProperty("--columns", best);
}

function newTile(slot) {
  const root = $("tile").content.firstElementChild.cloneNode(true);
  const part = (selector) => root.querySelector(selector);
  const tile = {
    root, slot: null,
    name: part(".name"), since: part(".since"), use: part("use"), word: part(".word"), unit: part(".unit"),
    doing: part(".doing"), percent: part(".percent"), bar: part("progress"), message: part(".message"), advice: part(".advice"),
  };
  part(".open").addEventListener("click", () => openHistory(tile.slot));
  tiles.set(slot.path, tile);
  return tile;
}

function drawTile(tile, slot) {
  const before = tile.slot;
  tile.slot = slot;
  const working = slot.state === "working";
  if (before?.state !== slot.state) {
    tile.root.dataset.state = slot.state;
    tile.use.setAttribute("href", "#shape-" + slot.state);
    put(tile.word, words[slot.state] ?? slot.state);
    if (before) announce(slot);
  }
  tile.root.classList.toggle("fresh", Boolean(before) && Date.now() + clockSkew - Date.parse(slot.since) < 1000);
  tile.root.title = slot.path + (slot.chip ? " · " + slot.chip : "");
  put(tile.name, slot.name);
  put(tile.unit, slot.unit || last(slot));
  put(tile.doing, working ? phrase(slot.phase) : "");
  put(tile.percent, working ? Math.floor(slot.progress * 100) + " %" : "");
  tile.bar.classList.toggle("on", working);
  tile.bar.value = slot.progress;
  tile.bar.setAttribute("aria-label", "Progress in slot " + slot.name);
  put(tile.message, slot.message ?? "");
  put(tile.advice, slot.advice ?? "");
  drawSince(tile);
}

// The names of phases are words of the record: verify_nvs.
function phrase(phase) {
  const text = (phase || "starting").replaceAll("_", " ").replace("nvs", "NVS");
  return text[0].toUpperCase() + text.slice(1);
}

function last(slot) {
  return slot.state === "empty" && slot.lastUnit ? "Last: " + slot.lastUnit + " " + (words[slot.lastWord] ?? "") : "";
}

function drawSince(tile) {
  const past = Math.max(0, Date.now() + clockSkew - Date.parse(tile.slot.since));
  put(tile.since, tile.slot.state === "empty" && !tile.slot.lastUnit ? "" : duration(past / 1000));
}

// Said to those who listen to the board.
function announce(slot) {
  if (slot.state === "working" || slot.state === "empty") return;
  put($("spoken"), ["Slot " + slot.name + ": " + words[slot.state] + ".", slot.message, slot.advice].filter(Boolean).join(" "));
}

// ---- the last attempts in a slot

async function openHistory(slot) {
  put($("historyTitle"), "Slot " + slot.name);
  put($("historyNote"), "Looking up…");
  $("attempts").replaceChildren();
  $("history").showModal();
  try {
    const answer = await fetch("/api/v1/attempts?" + new URLSearchParams({ slot: slot.name, limit: "12" }));
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    put($("historyNote"), (body.length ? "The last attempts" : "No attempt yet") + " in this slot, at USB path " + slot.path + ".");
    $("attempts").replaceChildren(...body.map(attemptRow));
  } catch (err) {
    put($("historyNote"), "The record cannot be read: " + err.message);
  }
}

function attemptRow(a) {
  const row = document.createElement("tr");
  const took = a.end ? seconds((Date.parse(a.end) - Date.parse(a.start)) / 1000) : "";
  const what = a.failure ? [a.failure.text, a.failure.hint].filter(Boolean).join(" ") : a.rework ? "Rework: " + a.rework.reason : "";
  const outcome = a.outcome === "aborted" ? "aborted" : words[a.outcome] ?? "under way";
  for (const text of [moment(a.start), a.unit ?? "", outcome, took, what]) {
    row.insertCell().textContent = text;
  }
  return row;
}

// ---- numbers for people

function percent(share) {
  // Rounded down: 199 of 200 is not "100 %".
  return (share === 1 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)) + " %";
}

function seconds(s) {
  return s < 100 ? s.toFixed(1) + " s" : duration(s);
}

function duration(s) {
  if (s < 60) return Math.floor(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 48 * 3600) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " days";
}

function moment(time) {
  const t = new Date(time);
  const today = new Date(Date.now() + clockSkew).toDateString() === t.toDateString();
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return t.toLocaleString([], today ? clock : { ...clock, day: "numeric", month: "short", year: "numeric" });
}

// ---- the connection

function draw(v) {
  // A wall display runs for months: take the new page when the daemon is a new one.
  if (view && view.version !== v.version) {
    location.reload();
    return;
  }
  view = v;
  clockSkew = Date.parse(v.now) - Date.now();
  drawHeader(v);
  drawSlots(v);
}

function hear() {
  heard = Date.now();
  lost = false;
  document.body.classList.remove("lost");
  show($("lost"), false);
}

function lose() {
  if (lost) return;
  lost = true;
  document.body.classList.add("lost");
  put($("lost"), "No contact with the station since " + moment(heard + clockSkew) + ". What you see is old. Trying again…");
  show($("lost"), true);
}

function connect() {
  connected = Date.now();
  source?.close();
  source = new EventSource("/api/v1/events");
  source.addEventListener("view", (event) => {
    hear();
    draw(JSON.parse(event.data));
  });
  source.addEventListener("beat", hear);
  source.addEventListener("error", lose);
}

// A browser gives up after some errors, and does not see a line that goes
// silent: both are looked after here.
setInterval(() => {
  if (Date.now() - heard > patience) lose();
  if (lost && Date.now() - connected > 6000) connect();
}, 2000);

addEventListener("resize", arrange);

setInterval(() => {
  if (!lost) tiles.forEach(drawSince);
}, 1000);

connect();
