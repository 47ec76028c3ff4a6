// The page: one poll after the other while it is seen.

import {$, clock, say, setText} from "./dom.js";
import {Problem, Unreachable, call, forget, hasToken} from "./api.js";
import {drawHeader, drawOverview} from "./overview.js";
import {refreshRequests} from "./requests.js";
import {refreshObjects} from "./objects.js";
import {refreshRoutes} from "./routes.js";
import {beginTry, suggest} from "./cors.js";
import {beginReload} from "./reload.js";

const pace = 2000; // milliseconds between two polls

let range = "fine";
let history = null, historyAt = 0; // the newest, and when it was asked for
let lost = null; // when the server was not reached first
let timer = 0, polling = false, soon = false;

// poll asks for everything that moves and draws it.
async function poll() {
  if (document.hidden) return;
  if (polling) {
    soon = true;
    return;
  }
  polling = true;
  soon = false;
  clearTimeout(timer);
  try {
    await refresh();
    if (lost) say("The server answers again.");
    lost = null;
    $("unreachable").hidden = true;
  } catch (e) {
    failed(e);
  } finally {
    polling = false;
    const pause = lost ? Math.min(10000, pace + (Date.now() - lost) / 5) : pace;
    if (!document.hidden) timer = setTimeout(poll, soon ? 0 : pause);
  }
}

async function refresh() {
  const asked = range;
  // A day's history is long and moves once a minute.
  const whole = asked === "fine" || !history || Date.now() - historyAt > 30000;
  const stats = await call(`/api/stats?history=${whole ? asked : "none"}`);
  if (asked !== range) return;
  if (stats.history) {
    history = stats.history;
    historyAt = Date.now();
  }
  drawHeader(stats);
  drawOverview(stats, history, asked);
  await Promise.all([refreshRoutes(), refreshRequests(), refreshObjects()]);
  suggest();
}

function failed(e) {
  if (!(e instanceof Unreachable || e instanceof Problem)) throw e;
  lost ||= Date.now();
  const what = e instanceof Problem ? `The server answers ${e.status}: ${e.message}` : "The server cannot be reached";
  setText($("unreachable"), `✕ ${what}. The figures are those of ${clock(new Date(lost))}; the page keeps trying.`);
  $("unreachable").hidden = false;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  poll();
});

$("range").addEventListener("change", e => {
  range = e.target.value;
  history = null;
  poll();
});

// Colours: what the system has, unless the operator says otherwise.
const scheme = $("scheme");
scheme.value = localStorage.getItem("veneer-scheme") || "";
const paint = () => { document.documentElement.dataset.scheme = scheme.value; };
paint();
scheme.addEventListener("change", () => {
  localStorage.setItem("veneer-scheme", scheme.value);
  paint();
});

beginReload(poll);
beginTry();
$("forget").hidden = !hasToken();
$("forget").addEventListener("click", forget);

poll();
