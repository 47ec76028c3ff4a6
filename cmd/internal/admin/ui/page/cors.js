// The try-out: the same request as of two origins, side by side.

import {$, el, row, table} from "./dom.js";
import {Problem, Unreachable, call} from "./api.js";
import {newestRequest} from "./requests.js";

export function beginTry() {
  $("cors-form").addEventListener("submit", e => {
    e.preventDefault();
    ask();
  });
  $("cors-preflight").addEventListener("change", limit);
  $("cors-method").addEventListener("change", limit);
}

// limit keeps to what may be tried: only a preflight asks for a method that
// changes something.
function limit() {
  if (!["GET", "HEAD"].includes($("cors-method").value)) $("cors-preflight").checked = true;
}

// suggest fills in what was asked lately, while nothing was typed.
export function suggest() {
  const q = newestRequest();
  if (!q || $("cors-form").contains(document.activeElement) || $("cors-url").value) return;
  $("cors-url").value = q.url;
  if (!$("cors-a").value) $("cors-a").value = q.origin;
}

async function ask() {
  const names = $("cors-headers").value.split(/[\s,]+/).filter(Boolean);
  const question = {
    url: $("cors-url").value.trim(), method: $("cors-method").value,
    origins: [$("cors-a").value.trim(), $("cors-b").value.trim()],
    preflight: $("cors-preflight").checked, request_headers: names, credentials: $("cors-credentials").checked,
  };
  const place = $("cors-answer");
  place.replaceChildren(el("p", {class: "mute"}, "Asking…"));
  try {
    place.replaceChildren(draw((await call("/api/cors-try", question)).answers));
    place.scrollIntoView({block: "nearest"});
  } catch (e) {
    if (!(e instanceof Problem || e instanceof Unreachable)) throw e;
    place.replaceChildren(el("p", {class: "ill"}, "✕ " + e.message));
  }
}

const title = a => a.origin || "no Origin";

function draw([a, b]) {
  const columns = ["Field", title(a), title(b), "Differs"];
  const {node, body} = table("The answers side by side", columns);
  body.append(line(columns, "A page may read it", verdict(a), verdict(b), a.readable !== b.readable));
  body.append(line(columns, "Status", String(a.status || "none"), String(b.status || "none"), a.status !== b.status));
  const names = [...new Set([...a.fields, ...b.fields].map(f => f[0]))].sort();
  for (const name of names) {
    const [x, y] = [a, b].map(answer => answer.fields.filter(f => f[0] === name).map(f => f[1]).join("\n"));
    body.append(line(columns, name, value(x), value(y), x !== y));
  }
  return node;
}

const verdict = a => el("div", {},
  el("strong", {class: a.readable ? "good" : "ill"}, a.readable ? "✓ yes" : "✕ no"), a.why ? el("div", {}, a.why) : null);

const value = text => (text ? el("span", {class: "url"}, text) : el("span", {class: "mute"}, "not there"));

function line(columns, name, x, y, differs) {
  return row(columns, [name, x, y, differs ? el("span", {class: "mark"}, "≠ differs") : el("span", {class: "mute"}, "= same")], differs ? {class: "differs"} : {});
}
