// The Reload button: a good file is taken, and of a bad one all problems shown.

import {$, el, row, say, setText, table} from "./dom.js";
import {Problem, Unreachable, call} from "./api.js";

const columns = ["Where", "Field", "Got", "Why", "Fix"];

export function beginReload(then) {
  const button = $("reload");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const done = await call("/api/reload", {});
      say(`Reloaded: configuration ${done.generation} is in force.`);
    } catch (e) {
      if (!(e instanceof Problem || e instanceof Unreachable)) throw e;
      if (e.status === 422) show(e);
      else say(e.message, true);
    } finally {
      button.disabled = false;
      button.focus();
      then();
    }
  });
}

function show(problem) {
  setText($("more-title"), "The configuration was not taken");
  const parts = [el("p", {}, "The old one runs on. Nothing has changed.")];
  if (problem.problems.length) {
    const {node, body} = table("Problems of the file", columns);
    body.append(...problem.problems.map(p => row(columns, [
      el("span", {class: "url"}, p.where), el("code", {}, p.field || ""), el("code", {}, p.got || ""), p.why, p.fix || ""])));
    parts.push(node);
  } else {
    parts.push(el("p", {class: "ill"}, problem.message));
  }
  $("more-body").replaceChildren(...parts);
  if (!$("more").open) $("more").showModal();
}
