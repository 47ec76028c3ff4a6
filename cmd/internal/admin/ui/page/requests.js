// The newest requests, with the reason of each, and what Explain says of one.

import {$, badge, bytes, clock, count, el, keyed, number, results, row, setText, table, took} from "./dom.js";
import {call} from "./api.js";
import {explain} from "./explain.js";

const columns = ["Time", "Result", "Request", "Why", "Took", "Bytes", ""];
const most = 200; // that are asked for

let view = null;
let newest = [], leftOut = 0;

export const newestRequest = () => newest.find(q => q.method === "GET" && q.origin) || newest[0];

function begin() {
  view = table("Newest requests", columns, ["Took", "Bytes"]);
  $("requests-body").append(view.node);
  for (const r of results) $("requests-result").append(el("option", {value: r}, r));
  $("requests-filter").addEventListener("submit", e => e.preventDefault());
  $("requests-result").addEventListener("change", draw);
  $("requests-text").addEventListener("input", draw);
  $("requests-pause").addEventListener("click", () => {
    const paused = $("requests-pause").getAttribute("aria-pressed") !== "true";
    $("requests-pause").setAttribute("aria-pressed", paused);
    setText($("requests-pause"), paused ? "Go on" : "Pause");
    draw();
  });
}

export async function refreshRequests() {
  if (!view) begin();
  if ($("requests-pause").getAttribute("aria-pressed") === "true") return;
  const answer = await call(`/api/requests?limit=${most}`);
  if ($("requests-pause").getAttribute("aria-pressed") === "true") return;
  newest = answer.requests;
  leftOut = answer.left_out;
  draw();
}

function draw() {
  const result = $("requests-result").value;
  const text = $("requests-text").value.trim().toLowerCase();
  const shown = newest.filter(q => (!result || q.result === result) &&
    (!text || [q.url, q.origin, q.reason, q.why, q.route, q.method, String(q.status)].some(s => s.toLowerCase().includes(text))));
  keyed(view.body, shown.slice(0, 50), q => String(q.id), make);
  const paused = $("requests-pause").getAttribute("aria-pressed") === "true";
  setText($("requests-note"), (shown.length ? `${Math.min(50, shown.length)} of ${newest.length} shown` : "No request is like that yet.") +
    (leftOut ? `; ${count(leftOut)} older or like others were not kept` : "") + (paused ? "; paused" : ""));
}

function make(q) {
  const at = new Date(q.at);
  const request = el("div", {},
    el("div", {class: "url"}, `${q.method} ${q.url}`),
    q.origin ? el("div", {class: "mute"}, "from ", el("span", {class: "url"}, q.origin)) : null);
  const why = el("div", {},
    q.reason ? el("code", {class: "reason"}, q.reason) : null, q.reason ? " " : null, q.why,
    q.remedy ? el("div", {class: "mute"}, "→ " + q.remedy) : null);
  return row(columns, [
    el("time", {datetime: q.at, title: q.at}, clock(at)),
    el("span", {}, badge(q.result), " ", el("span", {class: q.status >= 500 || !q.status ? "ill" : "mute"}, String(q.status || "none"))),
    request, why, number(took(q.took_us)), number(bytes(q.bytes)),
    el("button", {type: "button", class: "small", "aria-label": `Explain ${q.method} ${q.url}`, on: {click: () => explain(q)}}, "Explain"),
  ]);
}
