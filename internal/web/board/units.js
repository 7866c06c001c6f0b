import { table, moment } from "./lib.js";
import { list, offerReleases } from "./list.js";
import { unitLink, unitState, attemptsOf } from "./records.js";

const draw = (units) => table([
  ["Unit", (u) => unitLink(u.id), "short"],
  ["State", unitState, "short"],
  ["Firmware", (u) => u.passedRelease ?? ""],
  ["Chip", (u) => u.chip ?? "", "short"],
  ["Attempts", attemptsOf, "short"],
  ["Rework", (u) => (u.rework ? "allowed by " + u.rework.by : "")],
  ["Last seen", (u) => moment(u.last), "short"],
], units);

// Those found by their ID come in that order; otherwise the latest comes first.
const searched = new URLSearchParams(location.search).get("q");
list("units", draw, searched ? {} : { order: "recent" });
offerReleases();
