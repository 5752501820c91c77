/** Completion in the query box: fields of recent events, their most frequent values, and operators. */

import { address, getJson, serverNow } from "./api.js";
import { PATHS, fieldText, isFilterable, pathValue, textValue } from "./query.js";
import { flatten } from "./values.js";
import { current } from "./state.js";
import { iso, resolve } from "./time.js";

const SAMPLE = 100,
  KEPT_MS = 60000,
  WAIT_MS = 150,
  MOST = 8;
const OPERATORS = ["AND", "OR", "NOT"];
/** Searched by words: they have no values to choose from. */
const TEXTS = ["message", "stack_trace"];

/**
 * Return what stands before the cursor, or null where nothing is completed.
 *
 * `{field, value, start}`: a value of a field; `{word, start, after}`: a word without a field, `after`: the one before
 * it, "" if there is none. `start` is where the replaced text starts.
 */
export function contextAt(text, at) {
  if (/[^\s)]/.test(text.slice(at, at + 1))) return null;
  let start = 0,
    colon = -1,
    quoted = false,
    range = false,
    before = "";
  for (let place = 0; place < at; place += 1) {
    const char = text[place];
    if (char === "\\") place += 1;
    else if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if ("[{".includes(char) && colon >= 0) range = true;
    else if ("]}".includes(char)) range = false;
    else if (range) continue;
    else if (/[\s()]/.test(char)) {
      before = char === "(" ? "" : text.slice(start, place) || before;
      start = place + 1;
      colon = -1;
    } else if (char === ":" && colon < 0) colon = place;
    else if (/[-+!]/.test(char) && place === start) start += 1;
  }
  if (range) return null;
  if (colon < 0) return quoted || text[start] === '"' ? null : { word: text.slice(start, at), start, after: before };
  const operator = /^[<>]=?/.exec(text.slice(colon + 1, at))?.[0] ?? "";
  const value = text.slice(colon + 1 + operator.length, at);
  return { field: unescaped(text.slice(start, colon)), value, operator, start: colon + 1 + operator.length };
}

const unescaped = (text) => text.replace(/\\(.)/gs, "$1");

/** Return `find(text, at)`, a promise of `[{kind, text, insert, start}]`: at most eight; null: an older question. */
export function createCompletion() {
  let fields = null,
    loadedAt = 0,
    turn = 0,
    running = null;

  async function known() {
    if (fields && Date.now() - loadedAt < KEPT_MS) return fields;
    const { hits } = await getJson(address("search", { limit: SAMPLE }));
    const counts = new Map();
    for (const { event } of hits) {
      for (const [path, values] of flatten(event)) {
        const field = counts.get(path) ?? { path, events: 0, ordered: path === "level", queries: false };
        field.events += 1;
        field.ordered ||= typeof values[0] === "number";
        field.queries ||= PATHS.includes(path) && String(values[0]).includes("?");
        counts.set(path, field);
      }
    }
    fields = [...counts.values()].sort((a, b) => b.events - a.events || a.path.localeCompare(b.path));
    loadedAt = Date.now();
    return fields;
  }

  async function valuesOf({ field, value, start, operator }, own) {
    const all = await known();
    const found = all.find(({ path }) => path === field);
    const compare =
      found?.ordered && !value && !operator ? [{ kind: "operator", text: ">=", insert: ">=", start }] : [];
    if (TEXTS.includes(field) || !field) return compare;
    await new Promise((done) => {
      setTimeout(done, WAIT_MS);
    });
    if (own.signal.aborted) return null;
    const typed = unescaped(value.replace(/^"|"$/g, ""));
    const { since, until } = resolve(current(), serverNow());
    const paths = Boolean(found?.queries) && !typed.includes("?"); // a path is completed without its queries
    const q = prefixQuery(field, typed);
    const params = { field, n: MOST, q, since: iso(since), until: iso(until), paths: paths ? 1 : null };
    const { values } = await getJson(address("top", params), own.signal);
    // Of an array the values beside the one that was found count as well.
    const fitting = values.filter((entry) => isFilterable(entry.value) && String(entry.value).toLowerCase().startsWith(typed.toLowerCase()));
    return [
      ...fitting.map(({ value: each, count }) => ({
        kind: "value",
        text: String(each),
        count,
        insert: `${(paths ? pathValue : textValue)(each)} `,
        start,
      })),
      ...compare,
    ];
  }

  async function wordsAt({ word, start, after }) {
    const typed = word.toLowerCase();
    const operators = OPERATORS.filter(
      (name) => name.toLowerCase().startsWith(typed) && (name === "NOT" ? !after || after !== "NOT" : isTerm(after)),
    ).map((name) => ({ kind: "operator", text: name, insert: `${name} `, start }));
    if (!word) return isTerm(after) ? operators : [];
    const all = await known();
    const paths = [...all.map(({ path }) => path), "_exists_", "_index"];
    const fitting = paths.filter((path) => path.toLowerCase().includes(typed));
    fitting.sort((a, b) => b.toLowerCase().startsWith(typed) - a.toLowerCase().startsWith(typed));
    const named = fitting.map((path) => ({ kind: "field", text: path, insert: `${fieldText(path)}:`, start }));
    return [...named.slice(0, MOST - operators.length), ...operators];
  }

  return async function find(text, at) {
    const own = ++turn;
    running?.abort();
    running = new AbortController();
    const context = contextAt(text, at);
    if (!context) return [];
    try {
      const found = "field" in context ? await valuesOf(context, running) : await wordsAt(context);
      return own === turn ? found : null;
    } catch {
      return own === turn ? [] : null; // what is typed can be searched without it
    }
  };
}

const isTerm = (word) => Boolean(word) && !OPERATORS.includes(word);

// Values have upper and lower case; what is typed mostly is in lower case.
function prefixQuery(field, typed) {
  if (!typed) return "";
  const spellings = [typed, typed.toUpperCase(), typed[0].toUpperCase() + typed.slice(1)];
  return [...new Set(spellings)].map((text) => `${fieldText(field)}:${fieldText(text)}*`).join(" OR ");
}
