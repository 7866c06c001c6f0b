// A list that is searched and paged through. What is searched for and the page
// are in the address, so that links, reloads and the back button work.

import { $, put, show, ask, complain } from "./lib.js";

const pageSize = 50;

// list fills the page from the API's list of that name. draw makes the elements
// of a page, fixed are fields of every request, and empty is said of an empty record.
export async function list(name, draw, fixed = {}, empty = "The record is empty: plug a board in.") {
  const filter = $("filter");
  const here = new URLSearchParams(location.search);
  for (const input of filter.elements) {
    if (input.name) fill(input, here.get(input.name) ?? "");
  }
  filter.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign("?" + query(filter));
  });
  const asked = query(filter);
  if ($("csv")) $("csv").href = `/api/v1/${name}.csv?` + asked;
  if (here.has("after")) asked.set("after", here.get("after"));
  put($("note"), "Searching…");
  try {
    const { body, next } = await ask(`${name}?` + new URLSearchParams([...Object.entries(fixed), ...asked, ["limit", pageSize]]));
    const searched = [...query(filter)].length > 0;
    put($("note"), body.length ? "" : here.has("after") ? "There are no more." : searched ? "Nothing in the record is like that." : empty);
    $("list").replaceChildren(...(body.length ? [draw(body)] : []));
    link($("next"), next && new URLSearchParams([...query(filter), ["after", next.get("after")]]));
    link($("first"), here.has("after") && query(filter));
  } catch (err) {
    complain($("note"), err);
  }
}

function link(a, params) {
  show(a, Boolean(params));
  if (params) a.href = location.pathname + "?" + params;
}

// A choice that is not on offer is in the address nevertheless.
function fill(input, value) {
  if (input.tagName === "SELECT" && ![...input.options].some((o) => o.value === value)) input.add(new Option(value, value));
  input.value = input.type === "datetime-local" ? local(value) : value;
}

// query is what the form asks for. Times go out with their zone.
function query(form) {
  const params = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const text = value.trim();
    if (text) params.set(name, form.elements[name].type === "datetime-local" ? new Date(text).toISOString() : text);
  }
  return params;
}

function local(time) {
  const t = new Date(time);
  return isNaN(t) ? "" : new Date(t - t.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

// offerReleases puts the names of all releases into the filter.
export async function offerReleases() {
  const select = $("filter").elements.release;
  try {
    for (const r of (await ask("releases")).body) {
      if (![...select.options].some((o) => o.value === r.name)) select.add(new Option(r.name, r.name));
    }
  } catch {
    // The list itself says what is wrong.
  }
}
