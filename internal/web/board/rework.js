// Allowing and cancelling reworks. Both change something, so the station may
// ask for its token; it is kept for this tab only.

import { $, ask, complain, make, put, show, moment } from "./lib.js";

const tokenKey = "flashd token";
const nameKey = "flashd name"; // who works here, for the next form

let changes = null; // what the station wants for them, once it is asked

// whatChangesWant resolves to token, none if the station has no token, or all.
// If it cannot tell, the form does when it is sent.
function whatChangesWant() {
  changes ??= ask("status").then(({ body }) => body.changes, () => {
    changes = null;
    return "";
  });
  return changes;
}

const impossible = "Nothing can be changed from here: the station has no token that would allow it. Use flashd rework on the station itself, or have api.token_file set in flashd.yaml.";

// sayIfImpossible puts a sentence into an element where reworks can be neither
// allowed nor cancelled.
export async function sayIfImpossible(element) {
  const none = (await whatChangesWant()) === "none";
  show(element, none);
  put(element, none ? impossible : "");
}

// post sends a change. After a 401 the form has to ask for the token.
async function post(path, body, token) {
  const held = token || sessionStorage.getItem(tokenKey);
  const headers = { "Content-Type": "application/json", ...(held ? { Authorization: "Bearer " + held } : {}) };
  try {
    const answer = (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).body;
    if (token) sessionStorage.setItem(tokenKey, token);
    return answer;
  } catch (err) {
    if (err.status !== 401) throw err;
    // The API's own words are for programs.
    sessionStorage.removeItem(tokenKey);
    err.message = held ? "That is not this station's token." : "The station wants its token for this.";
    err.hint = "It is a password: ask the engineer for it.";
    throw err;
  }
}

function field(label, input, hint) {
  return make("label", { className: "field" }, label, input, hint ? make("span", { className: "quiet" }, hint) : "");
}

function input(name, more = {}) {
  return make("input", { name, autocomplete: "off", maxLength: 200, ...more });
}

// form makes a form with reason, name and, when the station wants it, the token.
// send gets the values and resolves to the sentence that says it is done.
function form(title, fields, send) {
  const by = input("by", { required: true, value: localStorage.getItem(nameKey) ?? "" });
  const token = input("token", { type: "password", autocomplete: "off", maxLength: 4096 });
  const tokenField = field("The station's token", token, "It is asked for once, and forgotten when this tab is closed.");
  tokenField.classList.add("whole");
  const note = make("p", { role: "status", className: "whole" });
  const button = make("button", { className: "strong" }, title);
  const root = make("form", { className: "reworkForm" },
    field("Reason", input("reason", { required: true })), field("Your name", by), ...fields, tokenField,
    make("div", { className: "buttons" }, button), note);
  show(tokenField, false);
  whatChangesWant().then((wanted) => {
    // A page that says it once at its top has a place for that.
    if (wanted === "none") root.closest("details").replaceWith($("impossible") ? "" : make("p", { className: "note" }, impossible));
    show(tokenField, wanted === "token" && !sessionStorage.getItem(tokenKey));
  });
  root.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    note.className = "whole";
    put(note, "");
    localStorage.setItem(nameKey, by.value.trim());
    try {
      const said = await send(new FormData(root), token.value.trim());
      put(note, said);
      root.reset();
      by.value = localStorage.getItem(nameKey) ?? "";
      show(tokenField, (await whatChangesWant()) === "token" && !sessionStorage.getItem(tokenKey));
    } catch (err) {
      complain(note, err);
      note.classList.add("whole");
      if (err.status === 401) {
        show(tokenField, true);
        token.focus();
      }
    } finally {
      button.disabled = false;
    }
  });
  return root;
}

function choice(type, name, value, text, more = {}) {
  return make("label", {}, make("input", { type, name, value, ...more }), " ", text);
}

const lives = [["1h", "an hour"], ["8h", "a shift (8 hours)"], ["72h", "three days"], ["never", "as long as it takes"]];

// reworkForm allows a rework of {unit} or of the unit in {slot}. changed is
// called when one is allowed.
export function reworkForm(target, changed = () => {}) {
  const keep = choice("checkbox", "keepAll", "yes", "Keep all values that it has, and add only what is missing");
  const renew = choice("checkbox", "newCredentials", "yes", "… but give it new credentials");
  const set = make("textarea", { name: "set", spellcheck: false, placeholder: "mqtt_port=8883" });
  const expires = make("select", { name: "expires" }, ...lives.map(([value, text]) => make("option", { value, selected: value === "8h" }, text)));
  const nvsOnly = [keep, renew];
  const fields = [
    make("fieldset", {}, make("legend", { className: "unseen" }, "What is written"),
      choice("radio", "what", "nvs", "Its configuration only: new credentials, the firmware stays as it is", { checked: true }),
      choice("radio", "what", "all", "Everything: firmware and configuration"),
      keep, renew),
    field("Set these keys, one KEY=VALUE a line", set),
    field("Allowed for", expires),
  ];
  fields[1].classList.add("whole");
  const root = form("Allow the rework", fields, async (data, token) => {
    const body = { ...target, reason: data.get("reason"), by: data.get("by"), expires: data.get("expires") };
    if (data.get("what") === "all") body.reflash = true;
    else if (data.get("keepAll")) {
      body.keepAll = true;
      if (data.get("newCredentials")) body.newCredentials = true;
    }
    const keys = settings(data.get("set"));
    if (keys) body.set = keys;
    const allowed = await post("rework", body, token);
    changed(allowed);
    return allowed.inSlot ? `Allowed. The unit is in slot ${allowed.inSlot} and is begun at once.` : "Allowed. It is done when the unit is put into a slot" + (allowed.expires ? ", until " + moment(allowed.expires) : "") + ".";
  });
  const adapt = () => {
    const all = root.elements.what.value === "all";
    nvsOnly.forEach((label) => show(label, !all));
    show(renew, !all && root.elements.keepAll.checked);
  };
  root.addEventListener("change", adapt);
  root.addEventListener("reset", () => setTimeout(adapt));
  adapt();
  return make("details", {}, make("summary", {}, "Rework this unit…"), root);
}

// settings reads lines of KEY=VALUE.
function settings(text) {
  const set = {};
  for (const line of text.split("\n").map((l) => l.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    if (at < 1) throw Object.assign(new Error(`“${line}” is not KEY=VALUE.`), { hint: "Write one a line, such as mqtt_port=8883." });
    set[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return Object.keys(set).length ? set : null;
}

// cancelForm takes a rework back that nothing was done with yet.
export function cancelForm(rework, changed) {
  return make("details", {}, make("summary", {}, "Cancel it…"), form("Cancel the rework", [], async (data, token) => {
    await post(`reworks/${rework.id}/cancel`, { reason: data.get("reason"), by: data.get("by") }, token);
    changed();
    return "Cancelled.";
  }));
}
