// The board: draws station.View (see /api/v1/status) as it comes from
// /api/v1/events, and the shift from /api/v1/history.

import { $, put, show, ask, words, percent, seconds, moment } from "./lib.js";
import { watch } from "./live.js";
import { drawSlots, setUsualTimes, rearrange, tick, stationNow } from "./tiles.js";
import { drawHours, drawFailures } from "./charts.js";
import { openSlot, refreshSlot } from "./slot.js";

const shiftHours = 12;

let view = null;
let lost = false;

function drawHeader(v) {
  put($("station"), v.station);
  put($("release"), v.release);
  put($("version"), v.version);
  show($("simulated"), v.simulated);
  put($("held"), v.held ? "Line held: " + v.held : "");
  show($("held"), Boolean(v.held));
  document.title = title(v);
}

function title(v) {
  const count = (state) => v.slots.filter((s) => s.state === state).length;
  const parts = ["fail", "error", "working", "pass"].map((s) => [count(s), words[s]]).filter(([n]) => n > 0);
  return (v.held ? "HELD · " : "") + [...parts.map((p) => p.join(" ")), v.station].join(" · ");
}

function drawShift(h) {
  const t = h.today;
  put($("units"), String(t.units));
  put($("perHour"), String(Math.round(h.unitsPerHour)));
  put($("firstPass"), t.units ? percent(t.firstPassYield) : "–");
  put($("cycle"), h.cycleMedian ? seconds(h.cycleMedian) : "–");
  $("cycle").title = h.cycleMedian ? "median of the last passes; 95 % take less than " + seconds(h.cycleP95) : "";
  put($("counts"), `Today: ${t.passed} passed · ${t.failed} failed · ${t.errors} rig errors · ${t.refused} refused`);
  setUsualTimes(h.phases);
  drawHours(h.hours);
  drawFailures(h.failures, h.hours[0].start);
  rearrange();
}

// The shift is asked for when something has ended, but not all the time, and
// each minute so that the hours go on.
let asked = 0;
let stale = true;
let ended = "";

async function refreshShift() {
  const now = Date.now();
  if (lost || document.hidden || now - asked < (stale ? 2000 : 60_000)) return;
  asked = now;
  stale = false;
  try {
    drawShift((await ask(`history?since=${shiftHours}h`)).body);
  } catch {
    stale = true; // the events tell people that the station is gone
  }
}

function seen(v) {
  // A wall display runs for months: take the new page when the daemon is a new one.
  if (view && view.version !== v.version) {
    location.reload();
    return;
  }
  if (lost || !view) stale = true;
  lost = false;
  document.body.classList.remove("lost");
  show($("lost"), false);
  view = v;
  const t = v.totals;
  const count = [t.units, t.passed, t.failed, t.errors, t.refused, v.started].join();
  if (count !== ended) stale = true;
  ended = count;
  drawHeader(v);
  drawSlots(v, openSlot);
  refreshSlot(v);
  refreshShift();
}

function gone(heard) {
  lost = true;
  document.body.classList.add("lost");
  put($("lost"), "No contact with the station since " + moment(heard + stationNow() - Date.now(), stationNow()) + ". What you see is old. Trying again…");
  show($("lost"), true);
  rearrange();
}

addEventListener("resize", rearrange);
document.addEventListener("visibilitychange", refreshShift);
setInterval(() => {
  if (lost) return;
  tick();
  refreshShift();
}, 1000);

watch(seen, gone);
