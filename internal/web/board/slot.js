// What a tile has no room for: why, the unit's page, a rework, and what was
// done in the slot before.

import { $, put, show, ask, complain, badge } from "./lib.js";
import { unitLink, attemptTable } from "./records.js";
import { reworkForm } from "./rework.js";

let path = ""; // of the slot that is shown
let drawn = "";

export function openSlot(slot) {
  path = slot.path;
  drawn = "";
  draw(slot);
  $("slot").showModal();
}

// refreshSlot goes with the view while the dialog is open.
export function refreshSlot(v) {
  const slot = v.slots.find((s) => s.path === path);
  if ($("slot").open && slot) draw(slot);
}

function draw(slot) {
  const key = [slot.path, slot.state, slot.unit, slot.attempt, slot.message, slot.advice, slot.rework].join();
  if (key === drawn) return;
  const before = drawn.split(",");
  drawn = key;
  put($("slotTitle"), "Slot " + slot.name);
  $("slotState").replaceChildren(badge(slot.state), " ", unitLink(slot.unit), slot.chip ? " " + slot.chip : "");
  put($("slotMessage"), [slot.message, slot.advice].filter(Boolean).join(" "));
  show($("slotMessage"), Boolean(slot.message || slot.advice));
  if (before[1] !== slot.state || before[2] !== (slot.unit ?? "")) {
    const done = slot.unit && slot.state !== "working" && slot.state !== "empty";
    $("slotRework").replaceChildren(...(done ? [reworkForm({ slot: slot.name })] : []));
    drawAttempts(slot);
  }
}

async function drawAttempts(slot) {
  const note = $("slotNote");
  note.className = "quiet";
  put(note, "Looking up…");
  try {
    const { body } = await ask("attempts?" + new URLSearchParams({ slot: slot.name, limit: "8" }));
    if (slot.path !== path) return;
    put(note, (body.length ? "The last attempts" : "No attempt yet") + " in this slot, at USB path " + slot.path + ".");
    $("slotAttempts").replaceChildren(...(body.length ? [attemptTable(body, false)] : []));
  } catch (err) {
    complain(note, err);
  }
}
