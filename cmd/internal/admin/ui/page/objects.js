// What is stored, page by page, and its purge.

import {$, bytes, count, el, keyed, number, row, say, seconds, setText, table} from "./dom.js";
import {Problem, Unreachable, call} from "./api.js";

const columns = ["URL", "Origin", "Varies by", "Status", "Size", "Age", "Fresh for", ""];
const pageSize = 25;
const pace = 5000; // milliseconds between two looks; the list may be long

let view = null;
let prefix = "";
let cursors = [""]; // of the pages up to the one that is shown
let next = "";
let askedAt = 0;
let round = 0; // counts what was asked: an answer that is overtaken is dropped

function begin() {
  view = table("Stored objects", columns, ["Status", "Size", "Age", "Fresh for"]);
  $("objects-body").append(view.node);
  $("objects-search").addEventListener("submit", e => {
    e.preventDefault();
    prefix = $("objects-prefix").value.trim();
    turn([""]);
  });
  $("objects-next").addEventListener("click", () => turn([...cursors, next]));
  $("objects-back").addEventListener("click", () => turn(cursors.slice(0, -1)));
  beginPurge();
}

// turn shows another page.
function turn(to) {
  cursors = to;
  refreshObjects(true).catch(told);
}

function told(e) {
  if (!(e instanceof Problem || e instanceof Unreachable)) throw e;
  say(e.message, true);
}

export async function refreshObjects(now = false) {
  if (!view) begin();
  if (!now && Date.now() - askedAt < pace) return;
  askedAt = Date.now();
  const mine = ++round;
  const query = new URLSearchParams({limit: pageSize});
  if (prefix) query.set("prefix", prefix);
  if (cursors.at(-1)) query.set("after", cursors.at(-1));
  let answer;
  try {
    answer = await call("/api/objects?" + query);
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    setText($("objects-note"), "✕ " + e.message);
    keyed(view.body, [], String, String);
    return;
  }
  if (mine !== round) return;
  next = answer.next;
  draw(answer);
}

const identity = o => JSON.stringify([o.url, o.method, o.origin, o.vary]);

function draw(answer) {
  const held = view.body.contains(document.activeElement);
  keyed(view.body, answer.objects, identity, make, update);
  if (held && !view.body.contains(document.activeElement)) $("objects-title").focus({preventScroll: true});
  $("objects-next").disabled = !next;
  $("objects-back").disabled = cursors.length < 2;
  setText($("objects-note"), answer.objects.length ? `page ${cursors.length}; ${count(answer.total)} objects in the store` :
    prefix ? "Nothing that is stored begins with that." : "Nothing is stored.");
}

const freshness = o => (o.purged ? "purged" : o.ttl_s > 0 ? seconds(o.ttl_s) : `stale ${seconds(-o.ttl_s)}`);

function make(o) {
  const vary = (o.vary || []).map(([name, value]) => el("div", {class: "url"}, `${name}: ${value}`));
  const tags = (o.tags || []).map(t => el("code", {class: "reason"}, t));
  const order = (hard, text, label) => el("button", {
    type: "button", class: hard ? "small danger" : "small", "aria-label": `${label} ${o.url}`, title: label,
    on: {click: () => purge({url: o.url}, hard)},
  }, text);
  return row(columns, [
    el("div", {}, el("span", {class: "url"}, (o.method === "GET" ? "" : o.method + " ") + o.url), el("div", {class: "mute"}, o.type || "no type", " ", tags)),
    o.origin ? el("span", {class: "url"}, o.origin) : el("span", {class: "mute"}, "any"),
    vary.length ? el("div", {}, vary) : el("span", {class: "mute"}, "nothing"),
    number(String(o.status)), number(bytes(o.bytes)), number(seconds(o.age_s)), number(freshness(o)),
    el("div", {class: "pair"},
      order(false, "Purge", "Purge (validate before the next use) every stored response of"),
      order(true, "Remove", "Remove at once every stored response of")),
  ]);
}

function update(node, o) {
  setText(node.children[3], String(o.status));
  setText(node.children[4], bytes(o.bytes));
  setText(node.children[5], seconds(o.age_s));
  setText(node.children[6], freshness(o));
}

// purge sends an order and says what it did.
async function purge(order, hard) {
  try {
    const done = await call("/api/purge", hard ? {...order, hard: true} : order);
    const n = `${count(done.touched)} stored ${done.touched === 1 ? "response" : "responses"}`;
    say(`${hard ? "Removed" : "Purged"} ${n}${hard ? "" : "; validated before the next use"}.`);
    await refreshObjects(true);
  } catch (e) {
    told(e);
  }
}

const kinds = {
  prefix: {label: "Prefix", hint: "https://www.example.com/news/", words: v => `everything that begins with ${v}`},
  tag: {label: "Tag", hint: "a Surrogate-Key or Cache-Tag", words: v => `everything tagged ${v}`},
  all: {label: "Everything", hint: "", words: () => "everything that is stored"},
};

let pending = null; // the order that is asked about

function beginPurge() {
  $("ask").addEventListener("close", answered);
  const kind = $("purge-kind"), value = $("purge-value");
  kind.addEventListener("change", () => {
    const k = kinds[kind.value];
    setText($("purge-what"), k.label);
    value.placeholder = k.hint;
    value.parentElement.hidden = kind.value === "all";
  });
  $("purge").addEventListener("submit", e => {
    e.preventDefault();
    const text = value.value.trim();
    if (kind.value !== "all" && !text) {
      say(`Type the ${kind.value} first.`, true);
      value.focus();
      return;
    }
    const hard = $("purge-hard").checked;
    confirm(kinds[kind.value].words(text), hard, kind.value === "all" ? {all: true} : {[kind.value]: text});
  });
}

// confirm asks before much is purged. The dialog gives the focus back.
function confirm(what, hard, order) {
  const dialog = $("ask");
  setText($("ask-title"), hard ? "Remove from the store?" : "Purge?");
  setText($("ask-text"), hard ? `This removes ${what}. The upstream has to answer all of it anew.` :
    `This has ${what} validated before it is used again.`);
  setText($("ask-yes"), hard ? "Remove" : "Purge");
  dialog.returnValue = "";
  pending = {order, hard};
  dialog.showModal();
}

// answered is told of a dialog that was closed, a moment later: it may be open
// again for another order.
function answered() {
  const dialog = $("ask"), p = pending;
  if (dialog.open || !p) return;
  pending = null;
  if (dialog.returnValue === "yes") purge(p.order, p.hard);
}
