import { $, put, ask, complain, make, table, moment } from "./lib.js";
import { unitLink, reworkKind, reworkState } from "./records.js";
import { cancelForm } from "./rework.js";

const columns = [
  ["Unit", (r) => unitLink(r.unit), "short"], ["Allowed", (r) => moment(r.allowed), "short"], ["By", (r) => r.by],
  ["Reason", (r) => r.reason, "wide"], ["What", reworkKind], ["State", reworkState, "wide"],
];

async function load() {
  try {
    const armed = (await ask("reworks?open=true")).body.reverse();
    put($("note"), armed.length ? "" : "None is armed.");
    $("armed").replaceChildren(...armed.map((r) => make("div", {}, table(columns, [r]), cancelForm(r, load))));
  } catch (err) {
    complain($("note"), err);
  }
}
load();
