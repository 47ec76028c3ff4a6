// What each route did, by result, and below it each of its origins.

import {$, bytes, count, el, hatched, hatches, keyed, meaning, number, percent, ratio, ratioMeaning, results, row, setText, sum, svg, table} from "./dom.js";
import {call} from "./api.js";

const columns = ["Route", "CORS", "Results", "Hit ratio", "Requests", "Sent", "Saved"];

let view = null;
const open = new Set(); // names of the routes that are unfolded
let newest = [];

export async function refreshRoutes() {
  const answer = await call("/api/routes");
  if (!view) {
    view = table("Routes, with their origins", columns, columns.slice(3));
    view.node.querySelectorAll("th")[3].title = ratioMeaning;
    $("routes-body").append(view.node);
  }
  newest = answer.routes;
  draw();
}

function draw() {
  const rows = newest.flatMap(r => {
    const route = {...r, key: `route ${r.name}`, results: r.results};
    if (!open.has(r.name)) return [route];
    const parts = r.origins.map(o => ({...o, key: `origin ${r.name} ${o.origin}`, part: true}));
    if (r.more_origins && !parts.some(o => o.origin === "(others)")) parts.push({key: `more ${r.name}`, part: true, origin: "(others)", results: {}, bytes_sent: 0, bytes_saved: 0});
    return [route, ...parts];
  });
  keyed(view.body, rows, r => r.key, make, update);
}

function make(r) {
  const node = row(columns, [
    r.part ? el("span", {class: "url"}, r.origin || "without an Origin") : head(r),
    r.part ? "" : el("div", {}, r.cors || "–", el("div", {class: "mute"}, r.upstream ? `→ ${r.upstream}` : "")),
    "", number(""), number(""), number(""), number(""),
  ], r.part ? {class: "part"} : {});
  update(node, r);
  return node;
}

// head is the button that shows and hides a route's origins.
function head(r) {
  return el("button", {
    type: "button", class: "unfold url", "aria-expanded": String(open.has(r.name)), title: "Show the origins of this route",
    on: {
      click: e => {
        if (!open.delete(r.name)) open.add(r.name);
        e.currentTarget.setAttribute("aria-expanded", String(open.has(r.name)));
        draw();
      },
    },
  }, r.name);
}

function update(node, r) {
  const cells = node.children;
  const drawn = JSON.stringify(r.results);
  if (node.drawn !== drawn) {
    node.drawn = drawn;
    cells[2].replaceChildren(share(r.results));
  }
  setText(cells[3], percent(ratio(r.results)));
  setText(cells[4], count(sum(r.results)));
  setText(cells[5], bytes(r.bytes_sent));
  setText(cells[6], bytes(r.bytes_saved));
}

let shares = 0;

// share is a bar of results, in the order in which the chart stacks them.
function share(counts) {
  const all = sum(counts), id = ++shares;
  const words = results.filter(r => counts[r]).map(r => `${r} ${count(counts[r])}`).join(", ") || "no requests";
  const defs = svg("defs"), bar = svg("svg", {class: "share", role: "img", "aria-label": words}, defs, svg("title", {}, words));
  if (!all) bar.append(svg("rect", {width: "100%", height: 16, class: "track"}));
  let from = 0;
  for (const r of results) {
    if (!counts[r]) continue;
    const width = counts[r] / all * 100;
    let fill = {class: `f-${r}`};
    if (hatches[r]) {
      defs.append(hatched(`s${id}-${r}`, r));
      fill = {fill: `url(#s${id}-${r})`};
    }
    bar.append(svg("rect", {x: `${from}%`, width: `${width}%`, height: 16, ...fill}, svg("title", {}, `${r} ${count(counts[r])}: ${meaning[r]}`)));
    from += width;
  }
  return bar;
}
