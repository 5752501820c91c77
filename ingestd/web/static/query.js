/** Builds the query text for the server from the page's state, in Lucene syntax. */

import { LEVEL_FIELDS, PATH_FIELDS } from "./known_fields.js";

/** Return a field name for a query, with special characters escaped. */
export const fieldText = (name) => name.replace(/[\s:()[\]{}"\\^~*?+!&|/]/g, "\\$&");

/** Return a value for a query: numbers and booleans as they are, text in quotes. */
function valueText(value) {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return `"${String(value).replace(/["\\]/g, "\\$&")}"`;
}

/** Whether a value can be a filter: of a longer one the server's lists have only the start. */
export const isFilterable = (value) => String(value).length <= 1000;

/** Fields with paths, which may have queries behind them. */
export const PATHS = PATH_FIELDS;

/** Return a path for the query box, with any query or none. */
export const pathValue = (path) => `(${valueText(path)} OR ${fieldText(path).replaceAll("\\/", "/")}\\?*)`;

/** Return a value for the query box: without quotes if it is one plain word. */
export const textValue = (value) =>
  typeof value === "string" && /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(value) ? value : valueText(value);

/**
 * All but the records about a request that are not access lines, so that each request counts once. Events that were
 * stored before access lines were marked have no `visit` and count as before.
 */
export const VISITS = "NOT visit:false";

/** Return the text of the query `q` with more conditions. */
export const joined = (q, more) => (more.length ? [q && `(${q})`, ...more].filter(Boolean).join(" AND ") : q);

/** Return one condition: `NOT level:"INFO"`; `path`: of a path with any query or none, of a level in either field. */
export function condition({ field, value, not, path }) {
  const name = fieldText(field);
  const own = `${name}:${valueText(value)}`;
  let either = own;
  if (path) either = field === LEVEL ? ofLevel(`:${valueText(value)}`) : `(${own} OR ${name}:${fieldText(value)}\\?*)`;
  return `${not ? "NOT " : ""}${either}`;
}

/** The field that stands for both: events that have none have their level in the other. */
const [LEVEL, OTHER] = LEVEL_FIELDS;
const ofLevel = (test) => `(${LEVEL}${test} OR (${OTHER}${test} AND NOT (${LEVEL}:* AND NOT ${LEVEL}:"")))`;

/**
 * Return `{text, shift}`: the query text, and how many characters precede the user's own text in it.
 *
 * `more`: conditions that are not part of the state.
 */
export function compose(state, more = []) {
  const conditions = [...state.filters.map(condition), ...more];
  if (state.level) conditions.unshift(ofLevel(`:>=${state.level}`));
  const own = state.q.trim();
  if (!own) return { text: conditions.join(" AND "), shift: 0 };
  if (!conditions.length) return { text: own, shift: -leading(state.q) };
  return { text: [`(${own})`, ...conditions].join(" AND "), shift: 1 - leading(state.q) };
}

const leading = (text) => text.length - text.trimStart().length;
