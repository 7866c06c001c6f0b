import { $, put, show, ask, complain, make, table } from "./lib.js";
import { list } from "./list.js";
import { unitLink, reworkColumns } from "./records.js";
import { cancelForm } from "./rework.js";

const columns = [["Unit", (r) => unitLink(r.unit), "short"], ...reworkColumns];
const most = 50; // of those that are armed; the list below has them all

async function drawArmed() {
  show($("armedPart"), true);
  try {
    const { body, next } = await ask("reworks?" + new URLSearchParams({ state: "armed", limit: most }));
    put($("armedNote"), next ? `These are the latest ${most}.` : body.length ? "" : "None is armed.");
    $("armed").replaceChildren(...body.map((r) => make("div", {}, table(columns, [r]), cancelForm(r, () => location.reload()))));
  } catch (err) {
    complain($("armedNote"), err);
  }
}

if (!location.search) drawArmed();
list("reworks", (reworks) => table(columns, reworks), {}, "Nobody has allowed a rework yet.");
