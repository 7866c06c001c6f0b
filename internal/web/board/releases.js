import { $, put, ask, complain, make, badge, bytes, moment, table } from "./lib.js";

function segment(s) {
  return s.sha256 ? make("span", { className: "digest" }, s.sha256) : "made for each unit";
}

function release(r) {
  if (r.problem) return make("li", {}, make("div", { className: "head" }, make("strong", {}, r.name), badge("error", "cannot be used")), make("p", {}, r.problem));
  return make("li", {},
    make("div", { className: "head" },
      make("strong", {}, r.name), r.inUse ? badge("pass", "in use") : "", r.demo ? make("span", { className: "badge" }, "for simulated units") : "",
      make("span", {}, [r.project, r.version].filter(Boolean).join(" ")),
      make("a", { href: "/units?" + new URLSearchParams({ release: r.name }) }, "its units"),
      make("a", { href: "/attempts?" + new URLSearchParams({ release: r.name }) }, "its attempts")),
    make("dl", { className: "facts" }, ...[
      ["Chip", r.chip], ["Flash", bytes(r.flashSize)], ["Images", bytes(r.bytes)], ["NVS", r.nvsEncrypted ? "encrypted" : "plain"],
      ["Imported", moment(r.imported)], ["From", r.source],
    ].map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    make("p", { className: "digest" }, "manifest " + r.digest),
    make("details", {}, make("summary", {}, "What is written"), table([
      ["Segment", (s) => s.name], ["Offset", (s) => "0x" + s.offset.toString(16), "short"], ["Size", (s) => bytes(s.size), "short"], ["SHA-256", segment, "wide"],
    ], [...(r.segments ?? []), r.nvs])));
}

async function load() {
  try {
    const list = (await ask("releases")).body;
    put($("note"), list.length ? "" : "There is no release yet: flashd image import makes one.");
    $("releases").replaceChildren(...list.toSorted((x, y) => y.inUse - x.inUse).map(release));
  } catch (err) {
    complain($("note"), err);
  }
}
load();
