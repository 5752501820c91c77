/** Questions to the server. All addresses are relative, so that a reverse proxy may put the page below a prefix. */

/** What the server said when it did not answer: `status` (0: not reachable), and of a wrong query where it is. */
export class ApiError extends Error {
  constructor(status, detail = {}) {
    super(detail.message ?? "");
    Object.assign(this, { status, column: detail.column, length: detail.length, hint: detail.hint });
  }
}

let skewMs = 0;

/** Return the server's time: ranges like "the last 15 minutes" must not suffer from a wrong clock here. */
export const serverNow = () => new Date(Date.now() + skewMs);

/**
 * Ask `api/PATH` and return the parsed answer.
 *
 * @param {Object} params parameters; those that are null, undefined or "" are left out.
 * @param {AbortSignal} [signal] ends the question; it then rejects with an AbortError.
 */
export function ask(path, params = {}, signal = undefined) {
  return getJson(address(path, params), signal);
}

/** Give an order, `POST api/PATH`, and return the parsed answer; fails as `ask` does. */
export async function order(path, body = {}) {
  // Asked for each time: the token is another one once ingestd has been started again.
  const { csrf } = await ask("session");
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf ?? "" };
  return getJson(address(path), undefined, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Get JSON from an address of ours; fails as `ask` does. `init` is for the request, as in `fetch`. */
export async function getJson(url, signal, init = {}) {
  let answer;
  try {
    answer = await fetch(url, { ...init, signal, headers: { Accept: "application/json", ...init.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(0);
  }
  // Answers of the interface are never out of a cache, so their date is that of now.
  if (String(url).startsWith("api/")) keepTime(answer.headers.get("Date"));
  if (answer.ok) return answer.json();
  if (answer.status === 401) dispatchEvent(new Event("signed-out"));
  const body = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, typeof body.error === "string" ? { message: body.error } : body.error);
}

/** Return the relative address of a question. */
export function address(path, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `api/${path}${query ? `?${query}` : ""}`;
}

function keepTime(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  // The header has whole seconds; less than some of them is no difference.
  skewMs = Math.abs(difference) > 5000 ? difference : 0;
}

/** Sign out; the server asks for the password again. */
export async function signOut(csrf) {
  await fetch("logout", { method: "POST", headers: { "X-CSRF-Token": csrf } });
  location.reload();
}

export const aborted = (error) => error?.name === "AbortError";
