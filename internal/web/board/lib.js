// What all pages share: making elements, asking the API, numbers for people.

export const words = { empty: "empty", working: "working", pass: "pass", fail: "fail", error: "rig error", refused: "refused", aborted: "aborted" };

export const $ = (id) => document.getElementById(id);

// Changing a text that has not changed would disturb selections and screen readers.
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, shown) {
  element.hidden = !shown;
}

// make builds an element. Properties with a dash in their name become attributes,
// and "share" and "seconds" are numbers for the style sheet.
export function make(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "share" || name === "seconds") e.style.setProperty("--" + name, value);
    else if (name.includes("-") || name === "role" || name === "for" || name === "list") e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children.filter((c) => c !== undefined && c !== null && c !== ""));
  return e;
}

export function shape(state) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#shape-" + state);
  svg.append(use);
  return svg;
}

export function badge(state, word) {
  return make("span", { className: "badge", "data-state": state }, shape(state), word ?? words[state] ?? state);
}

// table makes a list whose rows become cards on narrow screens. A column is
// [title, cell of a row, class].
export function table(columns, rows) {
  return make("div", { className: "scroll" }, make("table", { className: "list" },
    make("thead", {}, make("tr", {}, ...columns.map(([title]) => make("th", { scope: "col" }, title)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...columns.map(([title, cell, kind]) =>
      make("td", { className: kind ?? "", "data-label": title }, cell(row) ?? "")))))));
}

// ---- the API

// ask returns what the API answers, and where the next page is. An error has
// the API's own sentence, its hint and its status.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch("/api/v1/" + path, options);
  } catch (err) {
    if (err.name === "AbortError") throw err;
    throw Object.assign(new Error("The station does not answer."), { hint: "Look whether flashd runs, then load this page again.", status: 0 });
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw Object.assign(new Error(sentence(body.error ?? "The station answers " + answer.status)), { hint: body.hint ?? "", status: answer.status });
  }
  const next = /^<([^>]*)>; rel="next"$/.exec(answer.headers.get("Link") ?? "");
  return { body, next: next ? new URL(next[1], location).searchParams : null };
}

export function complain(element, err) {
  element.className = "wrong";
  put(element, [err.message, err.hint].filter(Boolean).join(" "));
}

export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1).replace(/[^.!?]$/, "$&.") : "";
}

// ---- numbers for people

export function percent(share) {
  // Rounded down: 199 of 200 is not "100 %".
  return (share === 1 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)) + " %";
}

export function seconds(s) {
  return s < 100 ? s.toFixed(1) + " s" : duration(s);
}

export function duration(s) {
  if (s < 60) return Math.floor(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 48 * 3600) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " days";
}

export function moment(time, now = Date.now()) {
  if (!time) return "";
  const t = new Date(time);
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const today = new Date(now).toDateString() === t.toDateString();
  return t.toLocaleString([], today ? clock : { ...clock, day: "numeric", month: "short", year: "numeric" });
}

// Phases whose name in the record says little to who does not know flashd.
const phases = { ledger: "Ask the record", attach: "Find the flash", check: "See it start" };

// The names of phases and kinds are words of the record: verify_nvs.
export function phrase(word) {
  const text = (phases[word] ?? word).replaceAll("_", " ").replace("nvs", "NVS");
  return text[0].toUpperCase() + text.slice(1);
}

export function bytes(n) {
  return n >= 1 << 20 ? (n / (1 << 20)).toFixed(n % (1 << 20) ? 1 : 0) + " MiB" : n >= 1024 ? (n / 1024).toFixed(n % 1024 ? 1 : 0) + " KiB" : n + " bytes";
}

// ---- on every page: a scanned or typed device ID leads to its unit

const takesText = "input:not([type=checkbox], [type=radio]), select, textarea";

// A barcode scanner is a keyboard, and nobody clicks before they scan: what a device
// ID is made of goes into this field unless another one takes it. That is so also
// where a button has the focus: the scanner's Enter would press it.
addEventListener("keydown", (event) => {
  if (!/^[0-9A-F:-]$/i.test(event.key) || event.ctrlKey || event.altKey || event.metaKey || event.target.matches?.(takesText)) return;
  document.querySelector("dialog[open]")?.close(); // behind it nothing can be typed
  $("findUnit").focus();
  $("findUnit").select();
});

$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("findUnit").value.trim();
  const id = text.replace(/[:\s-]/g, "").toUpperCase();
  location.assign(/^[0-9A-F]{12}$/.test(id) ? "/units/" + id : "/units?" + new URLSearchParams({ q: text }));
});
