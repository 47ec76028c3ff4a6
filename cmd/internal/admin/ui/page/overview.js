// The overview: cards, charts, how full the store is, how the upstreams are.

import {$, bytes, clock, count, el, keyed, meaning, number, percent, rate, ratio, ratioMeaning, results, row, seconds, setText, sum, svg, table} from "./dom.js";
import {Chart, gather} from "./chart.js";

// The time that the charts show, in seconds: less where the instance has not run
// that long, but so much at least.
const ranges = {fine: {most: 600, least: 120, words: "10 min"}, day: {most: 86400, least: 7200, words: "a day"}};
const mostColumns = 72;

let charts = null;

function makeCharts() {
  const perSecond = c => (c.covered ? 1 / c.covered : 0);
  return {
    ratio: new Chart($("chart-ratio"), {
      title: "Hit ratio", help: ratioMeaning, kind: "line", max: 1, format: percent,
      series: [{name: "hit", label: "hit ratio", of: c => ratio(c.results)}],
    }),
    requests: new Chart($("chart-requests"), {
      title: "Requests a second", format: rate,
      series: results.map(r => ({name: r, label: r, help: meaning[r], of: c => (c.results[r] || 0) * perSecond(c)})),
    }),
    bytes: new Chart($("chart-bytes"), {
      title: "Bytes sent a second", help: "Content sent to clients. Saved is what the store gave without the upstream sending it.",
      binary: true, format: bytes,
      series: [
        {name: "saved", label: "saved: sent from the store", of: c => Math.min(c.saved, c.sent) * perSecond(c)},
        {name: "miss", label: "sent from the upstream", of: c => Math.max(0, c.sent - c.saved) * perSecond(c)},
      ],
    }),
  };
}

// drawOverview shows the answer of /api/stats; history is its newest one of the
// chosen range.
export function drawOverview(stats, history, range) {
  charts ||= makeCharts();
  const now = Date.parse(stats.now) / 1000;
  const {most, least, words} = ranges[range], step = history.step_seconds;
  const length = Math.min(most, Math.max(least, now - Date.parse(stats.started_at) / 1000));
  const span = step * Math.ceil(length / mostColumns / step);
  const points = history.points.filter(p => p.at > now - length);
  const columns = gather(points, step, span, results);
  const all = {}, recent = {};
  let sent = 0, saved = 0, covered = 0;
  for (const p of points) {
    sent += p.bytes_sent;
    saved += p.bytes_saved;
    for (const r of results) all[r] = (all[r] || 0) + (p.results[r] || 0);
  }
  const newest = points.slice(-(range === "fine" ? 5 : 1));
  for (const p of newest) {
    covered += step;
    for (const r of results) recent[r] = (recent[r] || 0) + (p.results[r] || 0);
  }
  const perSecond = covered ? sum(recent) / covered : 0;
  const figures = {range: words, ratio: ratio(all), sent, saved, all, perSecond};
  charts.ratio.draw(columns, now - length, now, `${percent(figures.ratio)} in ${words}`);
  charts.requests.draw(columns, now - length, now, `${rate(perSecond)} now`);
  charts.bytes.draw(columns, now - length, now, `${bytes(saved)} of ${bytes(sent)} saved`);
  drawCards(stats, figures);
  drawStore(stats.store);
  drawUpstreams(stats.upstreams);
}

function drawCards(stats, f) {
  const servers = stats.upstreams.flatMap(u => u.servers);
  const well = servers.filter(s => s.healthy).length;
  const share = f.sent ? percent(f.saved / f.sent) : "–";
  const cards = [
    {name: "Hit ratio", value: percent(f.ratio), note: `in ${f.range} · ${percent(ratio(stats.totals.results))} in all`, help: ratioMeaning},
    {name: "Requests a second", value: rate(f.perSecond), note: `${count(stats.totals.requests)} in all`},
    {name: "Bytes saved", value: bytes(f.saved), note: `${share} of what was sent · ${bytes(stats.totals.bytes_saved)} in all`, help: "Content sent from the store without the upstream sending it."},
    {name: "Errors", value: count(f.all.error || 0), note: `in ${f.range} · ${count(stats.totals.results.error || 0)} in all`, bad: f.all.error > 0, help: meaning.error},
    {name: "Stored", value: count(stats.store.objects), note: `responses · ${bytes(stats.store.bytes)}`},
    {name: "Servers", value: servers.length ? `${well} of ${servers.length}` : "none", note: well < servers.length ? "not all are healthy" : "all take requests", bad: well < servers.length},
  ];
  keyed($("cards"), cards, c => c.name, c => {
    const node = el("div", {class: "card", title: c.help || null}, el("h3", {}, c.name), el("p", {class: "figure"}), el("p", {class: "mute"}));
    updateCard(node, c);
    return node;
  }, updateCard);
}

function updateCard(node, c) {
  setText(node.children[1], (c.bad ? "⚠ " : "") + c.value);
  setText(node.children[2], c.note);
  node.classList.toggle("bad", Boolean(c.bad));
}

let store = null;

function drawStore(s) {
  if (!store) {
    store = {
      bar: svg("rect", {height: 14, rx: 4, class: "f-hit"}),
      meter: svg("svg", {class: "meter", role: "img"}, svg("rect", {width: "100%", height: 14, rx: 4, class: "track"})),
      words: el("p", {}),
      more: el("p", {class: "mute"}),
    };
    store.meter.append(store.bar);
    $("store").append(store.meter, store.words, store.more);
  }
  const part = s.size ? Math.min(1, s.bytes / s.size) : 0;
  store.bar.setAttribute("width", `${Math.max(part * 100, s.bytes ? 0.5 : 0)}%`);
  store.meter.setAttribute("aria-label", `The store is ${percent(part)} full`);
  setText(store.words, `${bytes(s.bytes)} of ${bytes(s.size)} (${percent(part)})`);
  setText(store.more, `${count(s.objects)} ${s.objects === 1 ? "object" : "objects"} · ${count(s.evictions)} evicted · ${count(s.rejections)} not admitted`);
}

let upstreams = null;

function drawUpstreams(list) {
  const columns = ["Upstream", "Server", "State", "Under way"];
  if (!upstreams) {
    upstreams = table("Servers of the upstreams and their health", columns, ["Under way"]);
    $("upstreams").append(upstreams.node);
  }
  const rows = list.flatMap(u => u.servers.length ? u.servers.map(s => ({...s, name: u.name})) :
    [{name: u.name, url: "local files", healthy: true, in_flight: 0}]);
  keyed(upstreams.body, rows, s => JSON.stringify([s.name, s.url, s.healthy, s.in_flight]), s => row(columns, [
    s.name, el("span", {class: "url"}, s.url),
    s.healthy ? el("span", {class: "good"}, "✓ healthy") : el("span", {class: "ill"}, "✕ failing"),
    number(String(s.in_flight || 0)),
  ]));
}

// drawHeader shows what the instance is and how its configuration is.
export function drawHeader(stats) {
  setText($("version"), stats.version || "");
  setText($("state"), `${stats.state === "serving" ? "●" : "◐"} ${stats.state}`);
  $("state").className = "badge " + (stats.state === "serving" ? "r-hit" : "r-miss");
  const c = stats.config;
  const up = seconds((Date.parse(stats.now) - Date.parse(stats.started_at)) / 1000);
  setText($("generation"), `up ${up} · configuration ${c.generation}`);
  $("generation").title = `${c.file || "without a file"}, loaded ${c.loaded_at}; ${c.reloads} reloads, ${c.failures} failed`;
  $("refused").hidden = c.ok;
  if (!c.ok) {
    setText($("refused"), `✕ The last reload failed; configuration ${c.generation} of ${clock(new Date(c.loaded_at))} runs on. ${c.error}`);
  }
}
