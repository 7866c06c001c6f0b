// The shift: units by the hour, and failures by reason, as /api/v1/history tells.

import { $, put, show, make, shape, phrase } from "./lib.js";

// Times are shown as the station's clock has them, wherever the browser is.
const clock = (time) => time.slice(11, 13);

export function drawHours(hours) {
  const most = Math.max(1, ...hours.map((h) => h.passed + h.failed));
  $("hours").replaceChildren(...hours.map((h, i) => make("div", { className: i === hours.length - 1 ? "hour now" : "hour" },
    make("span", { className: "rest", share: 1 - (h.passed + h.failed) / most }),
    make("span", { className: "count" }, h.passed + h.failed ? String(h.passed + h.failed) : ""),
    make("span", { className: h.failed ? "fail" : "fail none", share: h.failed / most }),
    make("span", { className: "pass", share: h.passed / most }),
    make("span", { className: "clock" }, clock(h.start)))));
  const passed = hours.reduce((n, h) => n + h.passed, 0);
  const failed = hours.reduce((n, h) => n + h.failed, 0);
  $("hours").setAttribute("aria-label", `Units in the last ${hours.length} hours: ${passed} passed, ${failed} failed.`);
  $("hoursTable").replaceChildren(...hours.map((h) => make("tr", {},
    make("th", { scope: "row" }, clock(h.start) + ":00"), make("td", {}, String(h.passed)), make("td", {}, String(h.failed)))));
}

// There is room for the most frequent ones; the list of attempts has them all.
const room = 4;

export function drawFailures(failures, since) {
  const most = failures[0]?.count ?? 1;
  $("failures").replaceChildren(...failures.slice(0, room).map((f) => {
    const unit = f.blame === "unit";
    const reason = f.text ? f.text.replace(/\.$/, "") : (f.phase ? phrase(f.phase) + ": " : "") + phrase(f.kind);
    return make("li", { className: unit ? "unitFault" : "rigFault" },
      make("a", { href: "/attempts?" + new URLSearchParams({ kind: f.kind, since }), title: f.kind + " in " + f.phase },
        shape(unit ? "fail" : "error"),
        make("span", { className: "reason" }, reason, make("span", { className: "unseen" }, unit ? ", a fault of the unit:" : ", a fault of the rig:")),
        make("span", { className: "count" }, String(f.count)),
        make("span", { className: "track", share: f.count / most }, make("i"))));
  }));
  const rest = failures.slice(room).reduce((n, f) => n + f.count, 0);
  show($("noFailures"), failures.length === 0 || rest > 0);
  put($("noFailures"), rest ? `and ${rest} for other reasons` : "None.");
}
