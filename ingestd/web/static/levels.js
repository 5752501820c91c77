/** Log levels: their order, names and classes. */

import { cut } from "./format.js";
import { LEVEL_FIELDS } from "./known_fields.js";
import { valueAt } from "./values.js";

/** From least to most severe; bars are stacked in this order from the bottom. */
export const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
export const OTHER = "OTHER";

/** Characters of a level that are shown. */
const MOST = 40;

const ALIASES = { WARN: "WARNING", FATAL: "CRITICAL", ERR: "ERROR", NOTICE: "INFO", TRACE: "DEBUG" };

/** Return one of LEVELS, or OTHER. */
export function levelName(level) {
  const name = String(level ?? "").toUpperCase();
  const known = ALIASES[name] ?? name;
  return LEVELS.includes(known) ? known : OTHER;
}

/** Return the CSS class for the colour of a level. */
export const levelClass = (level) => `lv-${levelName(level).toLowerCase()}`;

/**
 * Return the level of an event as text: python-logstash's `level`, else ECS's `log.level`, of an array the most severe
 * element. A longer one is cut: it is not a level, and in full in the record.
 */
export function levelOf(event) {
  const found = LEVEL_FIELDS.map((field) => valueAt(event, field)).find(isThere) ?? "";
  const texts = [found].flat().filter((level) => isThere(level) && typeof level !== "object").map(String);
  const severity = (text) => LEVELS.indexOf(levelName(text));
  return cut(texts.reduce((most, text) => (severity(text) > severity(most) ? text : most), texts[0] ?? ""), MOST);
}

const isThere = (level) => ![null, undefined, ""].includes(level) && !(Array.isArray(level) && !level.length);

/** Return counts by level: `{INFO: 3, OTHER: 1}` of `{INFO: 3, "": 1}`. */
export function gather(counts) {
  const sums = {};
  for (const [name, count] of Object.entries(counts)) sums[levelName(name)] = (sums[levelName(name)] ?? 0) + count;
  return sums;
}
