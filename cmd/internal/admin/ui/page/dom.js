// What all modules of the page share: elements, figures in words, and the words
// themselves. Text from outside goes through textContent only.

export const $ = id => document.getElementById(id);

const svgSpace = "http://www.w3.org/2000/svg";

// el makes an element. Attributes that are null or false are left out; "on"
// holds listeners; a child is a node or text.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgSpace, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return node;
}

// setText writes only what has changed, so that a selection survives.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// keyed makes the children of a node those of a list and keeps the nodes of
// items that stay, with the focus that may be in them. make returns a node,
// update (optional) changes one.
export function keyed(parent, items, keyOf, make, update) {
  const old = parent.keyedNodes || new Map();
  const next = new Map();
  const wanted = new Set(items.map(keyOf));
  for (const [key, node] of old) if (!wanted.has(key)) node.remove(); // first, so that no other has to move
  let before = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (next.has(key)) continue;
    let node = old.get(key);
    if (!node) node = make(item);
    else if (update) update(node, item);
    next.set(key, node);
    if (node === before) before = before.nextElementSibling;
    else parent.insertBefore(node, before);
  }
  parent.keyedNodes = next;
}

// table makes a table whose roles are spelled out: the narrow layout shows its
// rows as blocks, and a browser then forgets what they are.
export function table(caption, columns, wide) {
  const body = el("tbody", {role: "rowgroup"});
  const head = el("tr", {role: "row"}, columns.map(c => el("th", {scope: "col", role: "columnheader", class: wide && wide.includes(c) ? "number" : null}, c)));
  const node = el("table", {role: "table", class: "stack"}, el("caption", {class: "hidden"}, caption), el("thead", {role: "rowgroup"}, head), body);
  return {node, body, columns};
}

export function row(columns, cells, attributes = {}) {
  return el("tr", {role: "row", ...attributes}, cells.map((c, i) => {
    const number = c && c.number !== undefined;
    const content = number ? c.number : c;
    return el("td", {role: "cell", "data-label": columns[i], class: number ? "number" : null}, content);
  }));
}

export const number = n => ({number: n});

let saidTimer = 0;

// say puts a line where it is seen and read out.
export function say(text, bad = false) {
  const node = $("said");
  node.textContent = text;
  node.className = bad ? "shown bad" : "shown";
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => { node.className = ""; }, 8000);
}

// The results in the order in which they are stacked: what the store gave
// first, what cost the upstream something last.
export const results = ["hit", "stale", "revalidated", "collapsed", "preflight", "bypass", "miss", "error"];

export const meaning = {
  hit: "from the store",
  stale: "from the store, past its freshness",
  revalidated: "from the store, confirmed by the upstream",
  collapsed: "shared another request's fetch",
  preflight: "CORS preflight answered from the policy",
  bypass: "passed on without the store",
  miss: "fetched from the upstream",
  error: "an error of the proxy's own",
};

// Hatches tell the results apart where colours do not.
export const hatches = {stale: "M0 6L6 0", revalidated: "M0 3H6", collapsed: "M3 0V6", error: "M0 0L6 6M0 6L6 0", bypass: "M0 0L6 6"};

export const hatched = (id, name) => svg("pattern", {id, width: 6, height: 6, patternUnits: "userSpaceOnUse"},
  svg("rect", {width: 6, height: 6, class: `f-${name}`}), svg("path", {d: hatches[name], class: "hatch"}));

const signs = {hit: "●", stale: "◐", revalidated: "↻", collapsed: "⇉", preflight: "?", bypass: "→", miss: "○", error: "✕"};

export const badge = result =>
  el("span", {class: `badge r-${results.includes(result) ? result : "bypass"}`, title: meaning[result]},
    el("span", {"aria-hidden": "true"}, (signs[result] || "") + " "), result);

// ratio is the hit ratio of counts by result, or null where nothing counts.
export function ratio(counts) {
  let all = 0;
  for (const r of results) if (r !== "preflight" && r !== "error") all += counts[r] || 0;
  return all ? ((counts.hit || 0) + (counts.stale || 0)) / all : null;
}

export const ratioMeaning = "Hit ratio: (hit + stale) of all requests but preflights and the proxy's own errors.";

export function percent(x) {
  if (x === null) return "–";
  const p = x * 100;
  return (p > 0 && p < 10 || p > 90 && p < 100 ? p.toFixed(1) : p.toFixed(0)) + " %";
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

const whole = new Intl.NumberFormat("en");

export function count(n) {
  if (n < 100000) return whole.format(n);
  return n < 1e6 ? `${(n / 1e3).toFixed(0)} k` : n < 1e9 ? `${(n / 1e6).toFixed(1)} M` : `${(n / 1e9).toFixed(1)} G`;
}

export const rate = n => n === 0 ? "0" : n < 10 ? n.toFixed(1) : count(Math.round(n));

export function seconds(s) {
  const sign = s < 0 ? "−" : "";
  s = Math.abs(Math.floor(s));
  if (s < 120) return `${sign}${s} s`;
  if (s < 7200) return `${sign}${Math.floor(s / 60)} min`;
  return s < 172800 ? `${sign}${Math.floor(s / 3600)} h` : `${sign}${Math.floor(s / 86400)} d`;
}

export const took = us => us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`;

export const clock = (date, exact = true) =>
  date.toLocaleTimeString("en-GB", exact ? {hour: "2-digit", minute: "2-digit", second: "2-digit"} : {hour: "2-digit", minute: "2-digit"});

export const sum = counts => results.reduce((n, r) => n + (counts[r] || 0), 0);
