// One unit: what became of it, and all that was done to it.

import { $, put, show, ask, complain, make, badge, table, phrase, seconds, moment, bytes } from "./lib.js";
import { unitState, attemptsOf, took, reworkKind, reworkColumns } from "./records.js";
import { reworkForm, cancelForm } from "./rework.js";

const id = decodeURIComponent(location.pathname.split("/").pop());
const shown = 20; // attempts; more are in the list

let drawn = "";
let reworkDrawn = "";

function facts(u) {
  return [
    ["Chip", u.chip],
    ["Firmware", u.passedRelease],
    ["Passed", moment(u.passedAt)],
    ["First pass", u.passedAt ? (u.firstPass ? "yes" : "no") : ""],
    ["Attempts", attemptsOf(u)],
    ["First seen", moment(u.first)],
    ["Last seen", moment(u.last)],
  ].filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

function attempt(a) {
  return make("li", {},
    make("div", { className: "head" },
      badge(a.outcome ?? "working"), make("strong", {}, moment(a.start)), make("span", {}, "slot " + a.slot),
      make("span", {}, a.end ? took(a) : phrase(a.current ?? "starting")), make("a", { href: "/attempts?" + new URLSearchParams({ release: a.release ?? "" }) }, a.release ?? ""),
      a.credential ? make("span", { className: "quiet" }, "credentials: " + a.credential) : ""),
    a.failure ? make("p", {}, (a.failure.phase ? phrase(a.failure.phase) + ": " : "") + a.failure.text) : "",
    a.failure?.hint ? make("p", { className: "hint" }, a.failure.hint) : "",
    ...(a.notes ?? []).map((note) => make("p", {}, note)),
    a.rework ? make("p", {}, `Rework (${reworkKind(a.rework)}) allowed by ${a.rework.by}: ${a.rework.reason}`) : "",
    a.firmware ? make("p", {}, `Its firmware is still that of ${a.firmware.release}` + (a.firmware.proved ? ", proved by the chip." : ", as the record has it.")) : "",
    ...phases(a),
    a.verified?.length ? make("details", {}, make("summary", {}, `Verified on the chip: ${a.verified.length} ${a.verified.length === 1 ? "region" : "regions"}`), table([
      ["Region", (r) => r.name], ["Offset", (r) => "0x" + r.offset.toString(16), "short"], ["Size", (r) => bytes(r.size), "short"],
    ], a.verified)) : "",
    make("p", { className: "quiet" }, [`Attempt ${a.id}`, a.path, a.tool && "flashd " + a.tool, a.written ? bytes(a.written) + " written" : "", a.bootChecked ? "seen to start" : ""].filter(Boolean).join(" · ")));
}

// Where the time of an attempt went: a bar, and the same in words.
function phases(a) {
  if (!a.phases?.length) return [];
  const failed = (p, i) => a.failure?.phase === p.name && i === a.phases.findLastIndex((q) => q.name === p.name);
  return [
    make("div", { className: "phases", "aria-hidden": "true" }, ...a.phases.map((p, i) =>
      make("i", { seconds: p.seconds, title: `${phrase(p.name)} ${seconds(p.seconds)}`, className: failed(p, i) ? "failed" : "" }))),
    make("ul", { className: "legend" }, ...a.phases.map((p, i) => make("li", { className: failed(p, i) ? "failed" : "" }, make("b", {}, phrase(p.name)), " " + seconds(p.seconds)))),
  ];
}

// drawArchived accounts for attempts that the record no longer has. It does not know
// in which of the archives they are.
function drawArchived(u) {
  const n = (u.archived?.attempts ?? 0) + (u.archived?.refused ?? 0);
  show($("archived"), n > 0);
  put($("archived"), n ? `${n} ${n === 1 ? "attempt is in an archive" : "attempts are in archives"}, and not shown here. On the station: flashd jobs --unit ${u.id} --archive FILE` : "");
}

function drawReworks(list) {
  show($("reworksTitle"), list.length > 0);
  $("reworks").replaceChildren(...(list.length ? [table(reworkColumns, list)] : []));
}

function drawRework(u) {
  const key = JSON.stringify([u.rework, Boolean(u.passedAt)]);
  if (key === reworkDrawn) return; // somebody may be filling the form in
  reworkDrawn = key;
  const armed = u.rework && !(u.rework.expires && Date.parse(u.rework.expires) < Date.now());
  $("rework").replaceChildren(...(armed ? [
    make("p", { className: "banner" }, `A rework is allowed (${reworkKind(u.rework)}) by ${u.rework.by}: ${u.rework.reason}`),
    cancelForm(u.rework, load),
  ] : u.passedAt ? [reworkForm({ unit: u.id }, load)] : []));
}

async function load() {
  try {
    const [unit, attempts, reworks] = await Promise.all([
      ask("units/" + encodeURIComponent(id)), ask("attempts?" + new URLSearchParams({ unit: id, limit: shown })), ask("reworks?" + new URLSearchParams({ unit: id })),
    ]);
    $("note").className = "";
    put($("note"), "");
    const text = JSON.stringify([unit.body, attempts.body, reworks.body]);
    if (text === drawn) return;
    drawn = text;
    draw(unit.body, attempts, reworks.body);
  } catch (err) {
    complain($("note"), err);
  }
}

function draw(u, attempts, reworks) {
  put($("title"), u.id);
  document.title = u.id + " · flashd";
  $("state").replaceChildren(unitState(u));
  $("facts").replaceChildren(...facts(u));
  drawRework(u);
  $("attempts").replaceChildren(...attempts.body.map(attempt));
  show($("more"), Boolean(attempts.next));
  $("more").href = "/attempts?" + new URLSearchParams({ unit: u.id });
  drawArchived(u);
  drawReworks(reworks);
  show($("unit"), true);
}

put($("title"), id);
load();
setInterval(() => document.hidden || load(), 3000);
