// What /api/explain says of a request, in a dialog.

import {$, badge, el, seconds, setText} from "./dom.js";
import {call} from "./api.js";

export async function explain(q) {
  const query = new URLSearchParams({url: q.url, method: q.method});
  if (q.origin) query.append("header", "Origin: " + q.origin);
  if (q.result === "preflight") query.append("header", "Access-Control-Request-Method: GET"); // which it was for is not kept
  const body = $("more-body");
  setText($("more-title"), "Explain");
  body.replaceChildren(el("p", {class: "mute"}, "Asking…"));
  if (!$("more").open) $("more").showModal();
  try {
    const answer = await call("/api/explain?" + query);
    setText($("more-title"), `${answer.request.method} ${answer.request.url}`);
    body.replaceChildren(...draw(answer, q));
  } catch (e) {
    body.replaceChildren(el("p", {class: "ill", role: "alert"}, e.message));
  }
}

function draw(a, q) {
  return [
    el("p", {class: "verdict"}, "Asked now, it is ", a.verdict, "."),
    el("p", {class: "mute"}, `Assumed: ${a.assumed}. Nothing was sent upstream.` +
      (q.url.includes("REDACTED") ? " Values of the query that look like secrets are not kept, so this is about REDACTED in their place." : "")),
    el("div", {class: "outcomes"}, outcome("This request", a.outcome), outcome("The same again", a.next), a.failing ? outcome("With the upstream gone", a.failing) : null),
    el("dl", {class: "facts"},
      fact("Route", a.route ? `${a.route.name} → ${a.route.upstream}` : "none matches"),
      fact("CORS", a.cors && `${a.cors.mode}${a.cors.policy ? ` (${a.cors.policy})` : ""}: ${a.cors.why}${a.cors.rule ? `, ${a.cors.rule}` : ""}`),
      fact("Preflight", a.cors && a.cors.preflight && `${a.cors.preflight.granted ? "granted" : "refused"}: ${a.cors.preflight.why}`),
      fact("Key", a.key && key(a.key)),
      fact("Query", a.target && [a.target.dropped ? `without ${a.target.dropped.join(", ")}` : "", a.target.sorted ? "sorted" : ""].filter(Boolean).join("; ")),
      fact("Store", a.store && stored(a.store)),
      ...(a.store ? a.store.variants.map((v, i) => fact(`Variant ${i + 1}${v.selected ? " (selected)" : ""}`, variant(v))) : []),
      fact("Upstream gets", a.upstream && a.upstream.map(u => [`${u.method} ${u.url}`, ...u.fields].join("\n")).join("\n")),
      fact("Its answer", a.response && answered(a.response))),
    el("details", {}, el("summary", {}, "All of it as JSON"), el("pre", {tabindex: "0"}, JSON.stringify(a, null, 2))),
  ];
}

function outcome(title, o) {
  return el("section", {class: "outcome"},
    el("h3", {}, title),
    el("p", {}, badge(o.result), ` ${o.status}`, o.stored ? " · stored" : ""),
    o.reason ? el("p", {}, el("code", {class: "reason"}, o.reason.token), " ", o.reason.sentence, el("span", {class: "mute"}, ` (${o.reason.section})`)) : null,
    o.reason && o.reason.remedy ? el("p", {class: "mute"}, "→ " + o.reason.remedy) : null,
    o.fields && o.fields.length ? el("pre", {tabindex: "0"}, o.fields.join("\n")) : null);
}

// fact is a name and what there is to say, or nothing.
function fact(name, text) {
  return text ? [el("dt", {}, name), el("dd", {}, text)] : [];
}

const parts = list => (list || []).map(p => `${p.name}: ${p.value}`).join(", ");

function key(k) {
  return [`${k.method} ${k.uri}`, k.origin ? `origin ${k.origin}` : "", parts(k.headers), parts(k.cookies)].filter(Boolean).join(" · ");
}

function stored(s) {
  const words = [s.variants.length ? `${s.variants.length} stored` : "nothing is stored under this key"];
  if (s.hit_for_miss) words.push("marked as not storable (hit-for-miss)");
  if (s.in_flight) words.push("being fetched right now");
  if (s.reuse) words.push(`reuse: ${s.reuse}${s.reason ? `, ${s.reason.sentence}` : ""}`);
  return words.join("; ");
}

function variant(v) {
  const f = v.freshness;
  const words = [`status ${v.status}`, `age ${seconds(f.age)} of ${seconds(f.lifetime)} (${f.source})`, f.ttl > 0 ? `fresh for ${seconds(f.ttl)}` : `stale since ${seconds(-f.ttl)}`];
  if (v.selecting) words.push(parts(v.selecting));
  if (f.etag) words.push(`ETag ${f.etag}`);
  if (v.tags) words.push(`tags ${v.tags.join(", ")}`);
  return words.join(" · ");
}

function answered(r) {
  const words = [`status ${r.status}`, r.stored ? "stored" : "not stored"];
  if (r.reason) words.push(r.reason.sentence);
  if (r.freshness) words.push(`lifetime ${seconds(r.freshness.lifetime)} (${r.freshness.source})`);
  return words.join("; ");
}
