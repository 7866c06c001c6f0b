// How units, attempts and reworks of the record are shown.

import { badge, make, moment, seconds, table } from "./lib.js";

export function unitLink(id) {
  return id ? make("a", { className: "mono", href: "/units/" + id }, id) : "";
}

export function unitState(u) {
  if (u.open) return badge("working");
  if (u.passed) return badge("pass", "passed");
  return u.lastOutcome ? badge(u.lastOutcome) : badge("empty", "not done");
}

export function attemptsOf(u) {
  return String(u.attempts) + (u.fails ? `, ${u.fails} failed` : "") + (u.refused ? `, ${u.refused} refused` : "");
}

export function took(a) {
  return a.end ? seconds((Date.parse(a.end) - Date.parse(a.start)) / 1000) : "";
}

export function attemptTable(attempts, withSlot = true) {
  return table([
    ["Started", (a) => moment(a.start), "short"],
    ...(withSlot ? [["Slot", (a) => a.slot, "short"]] : []),
    ["Unit", (a) => unitLink(a.unit), "short"],
    ["Outcome", (a) => badge(a.outcome ?? "working"), "short"],
    ...(withSlot ? [["Release", (a) => a.release ?? "", "short"]] : []),
    ["Took", took, "short"],
    ["What happened", what, "wide"],
  ], attempts);
}

function what(a) {
  if (a.failure) return [a.failure.text, a.failure.hint].filter(Boolean).join(" ");
  return a.rework ? "Rework: " + a.rework.reason : "";
}

export function reworkKind(r) {
  const what = r.reflash ? "everything" : r.keepAll ? (r.newCredentials ? "new credentials only" : "missing keys only") : "configuration";
  const keys = Object.entries(r.set ?? {}).map(([key, value]) => key + "=" + value);
  return [what, ...keys].join(", ");
}

export function reworkState(r) {
  if (r.used) return "done " + moment(r.used);
  if (r.cancelled) return `cancelled ${moment(r.cancelled)} by ${r.cancelledBy}: ${r.cancelReason}`;
  if (r.replacedBy) return "replaced by a later one";
  if (!r.expires) return "armed";
  return (Date.parse(r.expires) < Date.now() ? "expired " : "armed until ") + moment(r.expires);
}

export const reworkColumns = [
  ["Allowed", (r) => moment(r.allowed), "short"], ["By", (r) => r.by], ["Reason", (r) => r.reason, "wide"],
  ["What", reworkKind], ["State", reworkState, "wide"],
];
