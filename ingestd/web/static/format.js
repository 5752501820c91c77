/** Numbers, sizes and durations in the page's language. */

import { language, t } from "./i18n.js";

const whole = new Intl.NumberFormat(language);
const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const wholes = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const tenth = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

export const number = (value) => whole.format(value);
export const compact = (value) => (Math.abs(value) < 100000 ? whole.format(value) : short.format(value));
/** Return a share in whole percent, below 1 % with one decimal; `<0.1%`: it is less, but not nothing. */
export function share(part, all) {
  if (!(all > 0)) return "";
  const found = part / all;
  if (found > 0 && found < 0.0005) return `<${tenths.format(0.001)}`;
  return (found < 0.01 ? tenths : wholes).format(found);
}
export const percent = (part, all) => (all > 0 ? tenths.format(part / all) : "");
export const rate = (value) => (Math.abs(value) < 10 ? tenth.format(value) : whole.format(Math.round(value)));

const significant = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 });

/** Return a measured number: four digits of it, all of a whole one. */
export const figure = (value) => (Number.isInteger(value) ? whole : significant).format(value);

const signed = new Intl.NumberFormat(language, {
  style: "percent",
  maximumFractionDigits: 1,
  signDisplay: "exceptZero",
});

/** Return how much more there is than before: "+12.5%", "new" if there was nothing. */
export function changeText(now, before) {
  if (before === 0) return now === 0 ? signed.format(0) : t("change.new");
  return signed.format(now / before - 1);
}

/** 1536 -> "1.5 kB", in powers of 1000 as the commands print it. */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0,
    left = value;
  while (left >= (step ? 999.95 : 1000) && step < units.length - 1) {
    left /= 1000;
    step += 1;
  }
  return `${step ? decimal.format(left) : whole.format(left)} ${units[step]}`;
}

/** Seconds -> "3 d 4 h", "12 s" */
export function duration(seconds) {
  const parts = [
    [Math.floor(seconds / 86400), "unit.d"],
    [Math.floor(seconds / 3600) % 24, "unit.h"],
    [Math.floor(seconds / 60) % 60, "unit.min"],
    [Math.floor(seconds) % 60, "unit.s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return t("unit.s", { n: 0 });
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([n, unit]) => t(unit, { n }))
    .join(" ");
}

/** Return the value of a field as one line of text. */
export function plain(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Characters of a value in lists and on buttons; the record has all of them. */
const MOST = 200;

/** Return a text that is not longer than `most` characters, with an ellipsis if it was cut. */
export const cut = (text, most = MOST) => (text.length > most ? `${text.slice(0, most)}…` : text);

const regions = new Intl.DisplayNames([language], { type: "region", fallback: "code" });

/** Return the name of a country by its two-letter code. */
export function country(code) {
  try {
    return code === "XK" ? t("country.XK") : regions.of(code);
  } catch {
    return code;
  }
}

/** Return a text with the percent escapes decoded that hold text beyond ASCII: `/search?q=서울`. */
export function readable(text) {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => decoded(escapes, escapes));
}

/** Return the text of an event with its escapes decoded: in the lines of nginx and Apache also `\xEC\x84\x9C`. */
export function readableMessage(text, event) {
  if (event.visit !== true || event.logger_name !== undefined) return readable(text);
  return readable(
    text.replace(/(?:\\x[89a-f][0-9a-f])+|\\\\/gi, (written) => decoded(written, written.replace(/\\x/g, "%"))),
  );
}

/** What cannot be seen, or is not a character of its own: other paths would look alike. */
const UNSEEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]|^\p{M}/u;

/** Return percent escapes decoded, from UTF-8 or else CP949; `written` if they are not printable text. */
function decoded(written, escapes) {
  const data = Uint8Array.from(escapes.matchAll(/[0-9a-f]{2}/gi), ([byte]) => parseInt(byte, 16));
  const text = decodedIn("utf-8", data) ?? decodedIn("euc-kr", data) ?? "";
  return /\P{ASCII}/u.test(text) && !UNSEEN.test(text) ? text : written;
}

function decodedIn(charset, data) {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}
