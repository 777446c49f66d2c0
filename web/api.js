// The daemon over HTTP: one JSON request in, the parsed answer or a `Problem` out.
// Holds the access token for this tab; knows nothing of calls or of the page.

import { recall, remember } from "./strings.js";

const TOKEN = "parley-token";

const REFUSALS = {
  full: "problem_serverFull",
  draining: "problem_draining",
  starting: "problem_starting",
};

/** A failure the caller can read about: `key` names a text in strings.js. */
export class Problem extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

export class Api {
  /** `askToken(wrong)` resolves to a token, or to null when the caller declines. */
  constructor(askToken) {
    this.askToken = askToken;
    this.token = recall(TOKEN, "sessionStorage");
  }

  /** Sends one request; asks for a token, as often as needed, where the server wants one. */
  async send(method, path, body) {
    let response = await this.attempt(method, path, body);
    while (response.status === 401) {
      const token = await this.askToken(this.token !== null);
      if (token === null) throw new Problem("problem_tokenNeeded");
      this.token = token.replace(/[^\x21-\x7e]/g, ""); // a header takes nothing else
      response = await this.attempt(method, path, body);
    }
    if (this.token !== null) remember(TOKEN, this.token, "sessionStorage");
    const answer = await response.json().catch(() => null);
    if (response.ok) return answer;
    throw refusal(response, answer);
  }

  async attempt(method, path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    try {
      return await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    } catch {
      throw new Problem("problem_unreachable");
    }
  }
}

/** The problem behind an error status; the body is `{"error": {"code", "message"}}`. */
function refusal(response, answer) {
  const { code, message } = answer?.error ?? {};
  if (code in REFUSALS) return new Problem(REFUSALS[code]);
  const detail = message ?? `${response.status} ${response.statusText}`;
  return new Problem("problem_serverError", { detail });
}
