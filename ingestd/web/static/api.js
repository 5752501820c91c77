/** Requests to the server. All URLs are relative, so that a reverse proxy may serve the page under a prefix. */

/** An error of the server: its `status` (0: not reachable); for an invalid query also its position and kind;
 * `field`: the part of a form that is wrong. */
export class ApiError extends Error {
  constructor(status, { message = "", column, length, hint, kind, values, field } = {}) {
    super(message);
    Object.assign(this, { status, column, length, hint, kind, values, field });
  }
}

/** Queries whose answers may lack events; each is announced with an event `answer`. */
const QUERIES = ["search", "histogram", "top", "indices", "words", "word"];

let skewMs = 0;

/** Return the server's time, so that ranges like "the last 15 minutes" do not depend on the browser's clock. */
export const serverNow = () => new Date(Date.now() + skewMs);

/**
 * GET `api/PATH` and return the parsed response.
 *
 * @param {Object} params parameters, with an array several times; those that are null, undefined or "" are omitted.
 * @param {AbortSignal} [signal] aborts the request, which then rejects with an AbortError.
 */
export async function ask(path, params = {}, signal = undefined) {
  const answer = await getJson(address(path, params), signal);
  if (QUERIES.includes(path)) {
    dispatchEvent(new CustomEvent("answer", { detail: { path, missing: answer.missing ?? [] } }));
  }
  return answer;
}

/** POST to `api/PATH` and return the parsed response; fails like `ask`. */
export async function order(path, body = {}) {
  // Fetched each time: the token changes when ingestd restarts.
  const { csrf } = await ask("session");
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf ?? "" };
  return getJson(address(path), undefined, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * Fetch JSON from a relative URL; fails like `ask`. `init` is passed to `fetch`.
 *
 * If nothing can be fetched because the server is away, that is announced with an event `away`.
 */
export async function getJson(url, signal, init = {}) {
  try {
    return await fetched(url, signal, init);
  } catch (error) {
    if (isAway(error) && !init.method) dispatchEvent(new CustomEvent("away", { detail: { error, signal } }));
    throw error;
  }
}

async function fetched(url, signal, init) {
  let answer;
  try {
    answer = await fetch(url, { ...init, signal, headers: { Accept: "application/json", ...init.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(0);
  }
  // Responses of the API are never cached, so their date is the current time.
  if (String(url).startsWith("api/")) keepTime(answer.headers.get("Date"));
  if (answer.ok) return answer.json();
  if (answer.status === 401) dispatchEvent(new Event("signed-out"));
  const body = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, typeof body.error === "string" ? { message: body.error } : body.error);
}

/** Return the relative URL of a request. */
export function address(path, params = {}) {
  const kept = Object.entries(params)
    .flatMap(([name, value]) => (Array.isArray(value) ? value.map((each) => [name, each]) : [[name, value]]))
    .filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `api/${path}${query ? `?${query}` : ""}`;
}

function keepTime(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  // The header has whole seconds, so small differences do not count.
  skewMs = Math.abs(difference) > 5000 ? difference : 0;
}

/** Sign out; the server then asks for the password again. */
export async function signOut(csrf) {
  await fetch("logout", { method: "POST", headers: { "X-CSRF-Token": csrf } });
  location.reload();
}

/** Whether the server or its store cannot answer at all: one message says so for the whole page (`loading.js`). */
export const isAway = (error) => [0, 502, 503].includes(error?.status);

export const aborted = (error) => error?.name === "AbortError";
