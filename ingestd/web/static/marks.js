/** Marks in the shown text what a query looks for. */

import { h } from "./dom.js";
import { LEVEL_FIELDS } from "./known_fields.js";

const TERM =
  /(?<not>\bNOT\s+|(?<=^|[\s(])[-!])?(?:(?<field>(?:\\.|[\w@.-])+):(?:[<>]=?[^\s()]*|[[{][^\]}]*[\]}]|\((?<group>[^()]*)\)|(?<value>"(?:\\.|[^"\\])*"|\/(?:\\.|[^/\\])+\/|(?:\\.|[^\s()"])+))|(?<free>"(?:\\.|[^"\\])*"|\/(?:\\.|[^/\\])+\/|(?:\\.|[^\s()":])+))/gu;
const OPERATORS = new Set(["AND", "OR", "NOT", "TO", "&&", "||", "!", "-", "+", "*"]);
const SEPARATOR = "[^\\p{L}\\p{N}]+";

/**
 * Return `(text, path) => nodes`: the text of a field with its matches in `mark` elements.
 *
 * Words without a field are marked everywhere, others in their field only; what is excluded, and ranges, are not.
 * `sought`: another query, whose matches are marked, too.
 */
export function marker({ q, filters = [], sought = "" }) {
  const terms = [...termsOf(q), ...termsOf(sought)];
  for (const { field, value, not } of filters) if (!not) terms.push({ field, pattern: literal(String(value)) });
  const byPath = new Map();
  return (text, path = "") => {
    if (!byPath.has(path)) byPath.set(path, patternOf(terms.filter(({ field }) => !field || sameAs(path).includes(field))));
    const pattern = byPath.get(path);
    if (!pattern || !text) return text;
    return text.split(pattern).map((part, place) => (place % 2 ? h("mark", {}, part) : part));
  };
}

/** A level may be in either field. */
const sameAs = (path) => (LEVEL_FIELDS.includes(path) ? LEVEL_FIELDS : [path]);

/** Return an event as indented JSON, as nodes, with the matches in its values marked; `mark`: what `marker` returns. */
export function markedJson(value, mark, path = "", margin = "\n") {
  if (value === null || typeof value !== "object") return markedValue(value, mark, path);
  const inner = `${margin}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Object.entries(value).map(([key, part], place) => {
    const name = Array.isArray(value) ? "" : `${JSON.stringify(key)}: `;
    const below = Array.isArray(value) ? path : path ? `${path}.${key}` : key;
    return [`${place ? "," : ""}${inner}${name}`, markedJson(part, mark, below, inner)];
  });
  return [open, parts, parts.length ? margin : "", close];
}

/** Return a value as JSON; what is marked is the value, not its escaped form: in `a\nb` there is no `n`. */
export function markedValue(value, mark, path) {
  if (value === null) return "null";
  if (typeof value !== "string") return mark(String(value), path);
  const escaped = (text) => JSON.stringify(text).slice(1, -1);
  const parts = [mark(value, path)].flat();
  return ['"', parts.map((part) => (part.nodeType ? h("mark", {}, escaped(part.textContent)) : escaped(part))), '"'];
}

/** Return what a query looks for: `[{field, pattern}]`, the field is "" for words that may be anywhere. */
export function termsOf(q) {
  const found = [];
  for (const { groups } of q.matchAll(TERM)) {
    if (groups.not) continue;
    const field = (groups.field ?? "").replace(/\\(.)/g, "$1");
    const values = groups.group === undefined ? [groups.value ?? groups.free] : inGroup(groups.group);
    for (const value of values) {
      const pattern = value && !OPERATORS.has(value) ? patternText(value) : "";
      if (pattern) found.push({ field, pattern });
    }
  }
  return found;
}

/** Return the values of a group, `a OR "b c" NOT d`, without those that are excluded. */
const inGroup = (text) => [...text.matchAll(TERM)].filter(({ groups }) => !groups.not).map(({ groups }) => groups.free);

function patternText(value) {
  if (value.length > 2 && value.startsWith("/") && value.endsWith("/")) return regular(value.slice(1, -1));
  if (value.startsWith('"')) return phrase(value.slice(1, -1).replace(/\\(.)/g, "$1"));
  const bare = value.replace(/^[+-]/, "").replace(/(?:[~^][\d.]*)$/, "");
  return bare.replace(/\\(.)|([*?])|([\s\S])/gu, (_, escaped, wildcard, char) => {
    if (wildcard) return wildcard === "*" ? "[^\\s]*?" : "[^\\s]";
    return literal(escaped ?? char);
  });
}

/** Words in their order, whatever is between them. */
const phrase = (text) =>
  text
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .join(SEPARATOR) || literal(text);

function regular(text) {
  try {
    new RegExp(text, "u");
    return `(?:${text.replace(/\((?!\?)/g, "(?:")})`;
  } catch {
    return "";
  }
}

const literal = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

function patternOf(terms) {
  if (!terms.length) return null;
  // The longest first: of two that start at one place it is marked in full.
  const patterns = [...new Set(terms.map(({ pattern }) => pattern))].sort((a, b) => b.length - a.length);
  try {
    return new RegExp(`(${patterns.join("|")})`, "giu");
  } catch {
    return null;
  }
}
