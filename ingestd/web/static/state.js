/**
 * The state of the page, all of it in the URL's hash: back, forward, reload and shared links just work.
 *
 * In the hash and not in the query string, so that search words do not end up in the logs of proxies.
 */

/**
 * tab      one of TABS
 * q        text of the query box
 * range    a relative range of time.js, or "" if from and to are set
 * from, to ISO 8601 in UTC
 * filters  [{field, value, not, path}]; value is a string, number or boolean; path: with any query string, too
 * level    minimum severity, or ""
 * cols     fields shown as columns
 * sort     a field, or "-" and a field: the order of the shown events; "": newest first
 * widths   {field: px} of columns
 * around   the event whose surroundings are shown, see context.js
 * sought   query whose matches are marked there, besides those of q and filters
 * charts   fields whose most frequent values are shown, besides the default ones
 * traces   stack traces below their rows
 * every    seconds between automatic refreshes; 0: never
 * live     live tail is on
 * zone     "utc" or "site": the zone of all times; "": the browser's
 * compare  the period before is drawn behind the bars
 * mark     problems that are listed: "open", "resolved" or "muted"
 * problem  id of the problem that is shown, or ""
 * country  two-letter code of the country selected on the map
 * region   name of the selected province of that country, as events have it
 * requests the map counts requests, not visitors
 * particular  words of a place are those that are searched more there than elsewhere, not the most frequent ones
 * word     the search word whose page is shown
 * find     text that the listed search words have in them
 */
export const DEFAULTS = Object.freeze({
  tab: "logs",
  q: "",
  range: "24h",
  from: "",
  to: "",
  filters: [],
  level: "",
  cols: [],
  sort: "",
  widths: {},
  around: "",
  sought: "",
  charts: [],
  traces: false,
  every: 0,
  live: false,
  zone: "",
  compare: false,
  country: "",
  region: "",
  requests: false,
  particular: false,
  mark: "open",
  problem: "",
  word: "",
  find: "",
});

/** Time zones to choose from, see zone.js. */
export const ZONES = ["", "utc", "site"];

const TABS = ["logs", "words", "problems", "visitors", "alerts", "status"];
const MARKS = ["open", "resolved", "muted"];

/** Return the state in a hash; what is missing or invalid is as in DEFAULTS. */
export function parse(hash) {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const text = (name) => params.get(name) ?? DEFAULTS[name];
  const absolute = isTime(params.get("from")) && isTime(params.get("to"));
  const tab = text("tab");
  return {
    tab: TABS.includes(tab) ? tab : DEFAULTS.tab,
    q: text("q"),
    range: absolute ? "" : text("range"),
    from: absolute ? params.get("from") : "",
    to: absolute ? params.get("to") : "",
    filters: params.getAll("f").map(parseFilter).filter(Boolean),
    level: text("level"),
    cols: (params.get("cols") ?? "").split(",").filter(Boolean),
    sort: text("sort"),
    widths: parseWidths(params.getAll("w")),
    around: text("around"),
    sought: text("sought"),
    charts: (params.get("charts") ?? "").split(",").filter(Boolean),
    traces: params.has("traces"),
    every: Math.max(0, Number(params.get("every")) || 0),
    live: params.has("live"),
    zone: ZONES.includes(params.get("zone")) ? params.get("zone") : DEFAULTS.zone,
    compare: params.has("compare"),
    country: /^[A-Z]{2}$/.test(params.get("country") ?? "") ? params.get("country") : "",
    mark: MARKS.includes(text("mark")) ? text("mark") : DEFAULTS.mark,
    problem: text("problem"),
    region: text("region"),
    requests: params.has("requests"),
    particular: params.has("particular"),
    word: text("word"),
    find: text("find"),
  };
}

// A width is `field=px`.
function parseWidths(texts) {
  const found = texts.map((text) => /^(.+)=(\d{2,4})$/s.exec(text)).filter(Boolean);
  return Object.fromEntries(found.map(([, field, px]) => [field, Number(px)]));
}

const isTime = (text) => Boolean(text) && !Number.isNaN(Date.parse(text));

// A filter is `field=JSON` or `field!=JSON`; for paths and levels `field~=JSON` and `field!~=JSON`.
function parseFilter(text) {
  const found = /^([^=]+?)(!?)(~?)=(.*)$/s.exec(text);
  if (!found) return null;
  try {
    return {
      field: decodeURIComponent(found[1]),
      not: found[2] === "!",
      path: found[3] === "~",
      value: JSON.parse(found[4]),
    };
  } catch {
    return null;
  }
}

/** Return the hash of a state, without `#`; what is as in DEFAULTS is omitted. */
export function format(state) {
  const params = new URLSearchParams();
  if (state.tab !== DEFAULTS.tab) params.set("tab", state.tab);
  if (state.q) params.set("q", state.q);
  if (state.from) {
    params.set("from", state.from);
    params.set("to", state.to);
  } else if (state.range !== DEFAULTS.range) {
    params.set("range", state.range);
  }
  for (const { field, value, not, path } of state.filters) {
    params.append("f", `${encodeURIComponent(field)}${not ? "!" : ""}${path ? "~" : ""}=${JSON.stringify(value)}`);
  }
  for (const name of ["level", "sort", "around", "sought", "zone", "country", "region", "problem", "word", "find"]) {
    if (state[name]) params.set(name, state[name]);
  }
  if (state.mark !== DEFAULTS.mark) params.set("mark", state.mark);
  for (const [field, px] of Object.entries(state.widths)) params.append("w", `${field}=${px}`);
  for (const name of ["cols", "charts"]) if (state[name].length) params.set(name, state[name].join(","));
  for (const name of ["traces", "live", "compare", "requests", "particular"]) if (state[name]) params.set(name, "1");
  if (state.every) params.set("every", state.every);
  return params.toString();
}

const listeners = new Set();
let now = parse(location.hash);

export const current = () => now;

/** Call `listener(state, before)` after each change; returns a function that stops it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What makes another list of events: an event whose surroundings were shown is then no longer its centre. */
const ASKED = ["tab", "q", "range", "from", "filters", "level"];

/** Change some of the state; `replace`: without a new history entry. */
export function update(change, { replace = false } = {}) {
  const next = { ...now, ...(ASKED.some((name) => name in change) ? { around: "", sought: "" } : {}), ...change };
  const hash = format(next);
  if (hash !== location.hash.slice(1))
    history[replace ? "replaceState" : "pushState"](null, "", hash ? `#${hash}` : location.pathname);
  become(next);
}

function become(next) {
  const before = now;
  now = next;
  for (const listener of listeners) listener(now, before);
}

addEventListener("popstate", () => become(parse(location.hash)));

/** Add a filter, once; it replaces the opposite one. `more`: other changes of the state. */
export function addFilter(field, value, { not = false, path = false, ...more } = {}) {
  const others = now.filters.filter((filter) => filter.field !== field || filter.value !== value);
  update({ filters: [...others, { field, value, not, path }], ...more });
}

/** Add a field to a list of the state (`cols`, `charts`), or remove it. */
export function toggleIn(name, field) {
  const list = now[name];
  update({ [name]: list.includes(field) ? list.filter((other) => other !== field) : [...list, field] });
}
