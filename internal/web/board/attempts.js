import { $, ask, make } from "./lib.js";
import { list, offerReleases } from "./list.js";
import { attemptTable } from "./records.js";

list("attempts", (attempts) => attemptTable(attempts));
offerReleases();

// What was used of late is offered; anything else can be typed.
async function offer(id, path, names) {
  try {
    const { body } = await ask(path);
    $(id).replaceChildren(...[...new Set(names(body))].map((value) => make("option", { value })));
  } catch {
    // The list itself says what is wrong.
  }
}
offer("slotNames", "slots", (slots) => slots.map((s) => s.name));
offer("kinds", "history?since=24h", (h) => h.failures.map((f) => f.kind));
