import { $, put, show, ask, complain, make, moment, table } from "./lib.js";
import { list } from "./list.js";
import { unitLink, reworkKind, reworkState, reworkColumns } from "./records.js";
import { cancelForm, sayIfImpossible } from "./rework.js";

const columns = [["Unit", (r) => unitLink(r.unit), "short"], ...reworkColumns];
const most = 50; // of those that are armed; the list below has them all

function card(r) {
  return make("li", {},
    make("div", { className: "head" }, unitLink(r.unit), make("strong", {}, reworkKind(r)), make("span", {}, reworkState(r))),
    make("p", {}, r.reason),
    make("p", { className: "quiet" }, `Rework ${r.id}, allowed by ${r.by}, ${moment(r.allowed)}`),
    cancelForm(r, () => location.reload()));
}

async function drawArmed() {
  show($("armedPart"), true);
  try {
    const { body, next } = await ask("reworks?" + new URLSearchParams({ state: "armed", limit: most }));
    put($("armedNote"), next ? `These are the latest ${most}.` : body.length ? "" : "None is armed.");
    $("armed").replaceChildren(...body.map(card));
  } catch (err) {
    complain($("armedNote"), err);
  }
}

sayIfImpossible($("impossible"));
if (!location.search) drawArmed();
list("reworks", (reworks) => table(columns, reworks), {}, "Nobody has allowed a rework yet.");
