// The JSON API of the admin listener, with the token that the operator typed.

import {$} from "./dom.js";

const slot = "veneer-admin-token";

// Problem is an answer that is none of success (RFC 9457).
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status;
    this.problems = body.problems || [];
  }
}

// Unreachable: there was no answer, or none of this server's.
export class Unreachable extends Error {}

export const hasToken = () => sessionStorage.getItem(slot) !== null;

export function forget() {
  sessionStorage.removeItem(slot);
  location.reload();
}

let asking = null; // the promise of a token that is being asked for

function askToken() {
  asking ||= new Promise(resolve => {
    const again = hasToken();
    $("token-why").textContent = again ? "The token was refused. Type the one of admin.token_file." :
      "This instance asks for its admin token (admin.token_file). It is kept in this tab only.";
    const dialog = $("token");
    $("token-value").value = "";
    const typed = event => {
      const value = $("token-value").value.trim();
      if (!/^[!-~]+$/.test(value)) {
        event.preventDefault();
        $("token-why").textContent = "A token has letters, digits and signs, and no spaces.";
        return;
      }
      sessionStorage.setItem(slot, value);
      $("token-value").value = "";
      $("token-form").removeEventListener("submit", typed);
      dialog.removeEventListener("close", stay);
      $("forget").hidden = false;
      asking = null;
      resolve();
    };
    const stay = () => dialog.open || dialog.showModal(); // without a token there is nothing to see
    $("token-form").addEventListener("submit", typed);
    dialog.addEventListener("close", stay);
    if (!dialog.open) dialog.showModal();
  });
  return asking;
}

// call asks and returns the JSON of the answer. It waits for a token where one
// is wanted, and asks again.
export async function call(path, body) {
  for (;;) {
    const sent = sessionStorage.getItem(slot);
    const headers = {Accept: "application/json"};
    if (sent !== null) headers.Authorization = "Bearer " + sent;
    const init = {headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(body === undefined ? 10000 : 35000)};
    if (body !== undefined) {
      init.method = "POST";
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    let response, content;
    try {
      response = await fetch(path, init);
      content = await response.json();
    } catch (e) {
      throw new Unreachable(response ? `the answer of ${path} is no JSON` : "no answer", {cause: e});
    }
    if (response.ok) return content;
    if (response.status !== 401) throw new Problem(response.status, content);
    if (sent === sessionStorage.getItem(slot)) await askToken();
  }
}
