/** Time ranges: relative ones, typed ones, and how times are shown; all in one time zone, see `useZone`. */

import { language, t } from "./i18n.js";

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR,
  YEAR = 365.25 * DAY;

/** Relative ranges by name, in milliseconds; "today" and "yesterday" are days in the zone. */
export const RANGES = { "15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY };
export const DAYS = ["today", "yesterday"];

let namedZone = null, // a name such as "Asia/Seoul"; null: the browser's
  clockOfZone = null,
  formats = {};

/** Read and show times in a zone by its name; null: that of the browser. */
export function useZone(name) {
  if (name === namedZone && formats.fullDay) return;
  const format = (options) => new Intl.DateTimeFormat(language, { timeZone: name ?? undefined, ...options });
  formats = {
    fullDay: format({ dateStyle: "full" }),
    shortDay: format({ month: "short", day: "numeric" }),
    weekday: format({ weekday: "short", month: "short", day: "numeric" }),
  };
  const parts = Object.fromEntries(["year", "month", "day", "hour", "minute", "second"].map((part) => [part, "numeric"]));
  const fields = { timeZone: name, hourCycle: "h23", era: "short", ...parts };
  clockOfZone = name && new Intl.DateTimeFormat("en-u-ca-gregory", fields);
  namedZone = name;
}

/** Return the name of the zone that times are in. */
export const zoneName = () => namedZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Return how many seconds local time is ahead of UTC at `date`; long ago, zones had odd seconds. */
export function zoneSeconds(date) {
  const there = namedZone ? fieldsInZone(date) : fieldsInBrowser(date); // getTimezoneOffset() has no seconds
  return Math.round((utc(...there).getTime() - Math.floor(date.getTime() / SECOND) * SECOND) / SECOND);
}

const fieldsInBrowser = (date) => [
  date.getFullYear(),
  date.getMonth(),
  date.getDate(),
  date.getHours(),
  date.getMinutes(),
  date.getSeconds(),
];

function fieldsInZone(date) {
  const part = Object.fromEntries(clockOfZone.formatToParts(date).map(({ type, value }) => [type, value]));
  const year = part.era === "BC" ? 1 - part.year : part.year;
  return [year, part.month - 1, part.day, part.hour, part.minute, part.second];
}

/** Return a time of UTC; `Date.UTC(1, 0, 1)` would be in 1901. */
function utc(year, month, day, hour = 0, minute = 0, second = 0, ms = 0) {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(hour, minute, second, ms);
  return date;
}

/** Return a local time. */
function local(year, month, day, hour = 0, minute = 0, second = 0, ms = 0) {
  if (!namedZone) {
    const date = new Date(2000, 0, 1);
    date.setFullYear(year, month, day);
    date.setHours(hour, minute, second, ms);
    return date;
  }
  const wanted = utc(year, month, day, hour, minute, second, ms).getTime();
  const guess = new Date(wanted - zoneSeconds(new Date(wanted)) * SECOND);
  const found = new Date(wanted - zoneSeconds(guess) * SECOND);
  return shown(found).getTime() === wanted ? found : guess; // clocks skip that time: the one as much after the gap
}

/** Return a date whose fields of UTC are those that a clock in the zone shows. */
const shown = (date) => new Date(date.getTime() + zoneSeconds(date) * SECOND);

function midnight(date, days = 0) {
  const there = shown(date);
  return local(there.getUTCFullYear(), there.getUTCMonth(), there.getUTCDate() + days);
}

/** Return `{since, until, relative}` as Dates for a state. */
export function resolve(state, now) {
  if (state.from) return { since: new Date(state.from), until: new Date(state.to), relative: false };
  if (state.range === "today") return { since: midnight(now), until: now, relative: true };
  if (state.range === "yesterday") return { since: midnight(now, -1), until: midnight(now), relative: false };
  const length = RANGES[state.range] ?? RANGES["24h"];
  return { since: new Date(now.getTime() - length), until: now, relative: true };
}

const FIRST = Date.parse("0001-01-01T00:00:00.000Z"),
  LAST = Date.parse("9999-12-31T23:59:59.999Z");

/** Return a time for the server: ISO 8601 in UTC, from the year 1 to 9999. */
export const iso = (date) => new Date(Math.min(Math.max(date.getTime(), FIRST), LAST)).toISOString();

/**
 * Parse a text and return its Date, or null.
 *
 * "now", "-15m", "-2h", "-3d"; "14:00", "14:00:30" (of the day of `base`; without one today, or yesterday if that is
 * still to come); "2026-11-22", "11-22", optionally followed by a time; ISO 8601 with a zone.
 */
export function parseTime(text, now, base = null) {
  const said = text.trim().toLowerCase();
  if (said === "now" || said === t("time.now").toLowerCase()) return now;
  const ago = /^-\s*(\d+)\s*([smhdw])$/.exec(said);
  if (ago) {
    const unit = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }[ago[2]];
    return new Date(now.getTime() - Number(ago[1]) * unit);
  }
  const found =
    /^(?:(?:(\d{4})[-./])?(\d{1,2})[-./](\d{1,2})\.?)?(?:(?:^|[\st]+)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?$/.exec(
      said,
    );
  if (!found || !said) return fromIso(text.trim());
  const [, year, month, day, hour, minute, second, fraction] = found;
  const clock = [
    Number(hour ?? 0),
    Number(minute ?? 0),
    Number(second ?? 0),
    Number((fraction ?? "0").padEnd(3, "0").slice(0, 3)),
  ];
  if (clock[0] > 24 || clock[1] > 59 || clock[2] > 59) return null;
  if (month === undefined) {
    const on = shown(base ?? now);
    const of = (days) => local(on.getUTCFullYear(), on.getUTCMonth(), on.getUTCDate() + days, ...clock);
    return !base && of(0) > now ? of(-1) : of(0);
  }
  const date = local(Number(year ?? shown(now).getUTCFullYear()), Number(month) - 1, Number(day), ...clock);
  return shown(date).getUTCMonth() === Number(month) - 1 || clock[0] === 24 ? date : null;
}

function fromIso(text) {
  const date = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)$/i.test(text) ? new Date(text) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}

/**
 * Return `{since, until}` of two texts, or `{error: "from" | "to" | "order"}`.
 *
 * "14:00" to "14:10" is ten minutes of one day, "23:50" to "00:10" spans midnight; a bare day as the end
 * includes all of it.
 */
export function parseRange(from, to, now) {
  const since = parseTime(from, now);
  if (!since) return { error: "from" };
  let until = parseTime(to, now, since);
  if (!until) return { error: "to" };
  const bareTime = /^\s*\d{1,2}:\d{2}(:\d{2})?\s*$/.test(to);
  if (bareTime && until <= since) until = new Date(until.getTime() + DAY);
  if (/^\s*(\d{4}[-./])?\d{1,2}[-./]\d{1,2}\.?\s*$/.test(to)) until = midnight(until, 1);
  return until > since ? { since, until } : { error: "order" };
}

const two = (value) => String(value).padStart(2, "0");
function clockOf(date) {
  const there = shown(date);
  return `${two(there.getUTCHours())}:${two(there.getUTCMinutes())}`;
}
function dayOf(date) {
  const there = shown(date);
  return `${String(there.getUTCFullYear()).padStart(4, "0")}-${two(there.getUTCMonth() + 1)}-${two(there.getUTCDate())}`;
}
const seconds = (date) => two(shown(date).getUTCSeconds());

/** Return a time as the inputs take it: "2026-11-22 14:00", with seconds if they are not 0. */
export function inputText(date) {
  const exact = shown(date).getTime() % MINUTE ? `:${seconds(date)}` : "";
  return `${dayOf(date)} ${clockOf(date)}${exact}`;
}

/** Return the day of an event: "Sunday, November 22, 2026"; "" without a time. */
export const dayText = (date) => (Number.isNaN(date.getTime()) ? "" : formats.fullDay.format(date));

/** Return the time of an event with milliseconds: "14:03:21.250". */
export const preciseText = (date) =>
  `${clockOf(date)}:${seconds(date)}.${String(shown(date).getUTCMilliseconds()).padStart(3, "0")}`;

/** Return a time with its day and zone: "2026-11-22 14:03:21.250 +09:00"; "" for none. */
export function zonedText(date) {
  if (Number.isNaN(date.getTime())) return "";
  const minutes = Math.round(zoneSeconds(date) / 60);
  const ahead = Math.abs(minutes);
  const zone = `${minutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return `${dayOf(date)} ${preciseText(date)} ${zone}`;
}

function isMidnight(date) {
  const there = shown(date);
  return there.getUTCHours() + there.getUTCMinutes() + there.getUTCSeconds() === 0;
}

/** Return a range for display: "Nov 22 14:00 – 14:10", "Nov 1 – Nov 8", "2025-12-01 – 2026-11-08". */
export function rangeText(since, until) {
  const year = (date) => shown(date).getUTCFullYear();
  const dayName = (date) => (year(since) === year(until) ? formats.shortDay.format(date) : dayOf(date));
  if (isMidnight(since) && isMidnight(until)) {
    const last = new Date(until.getTime() - 1);
    return dayOf(since) === dayOf(last) ? formats.weekday.format(since) : `${dayName(since)} – ${dayName(last)}`;
  }
  const precise = until - since < 5 * MINUTE;
  const time = (date) => (precise ? preciseText(date).slice(0, 8) : clockOf(date));
  const end = dayOf(since) === dayOf(until) ? time(until) : `${dayName(until)} ${time(until)}`;
  return `${dayName(since)} ${time(since)} – ${end}`;
}

/** Return the name of a state's range: "Last 24 hours", or its start and end. */
export function rangeName(state) {
  return state.from
    ? rangeText(new Date(state.from), new Date(state.to))
    : t(`range.${state.range in RANGES || DAYS.includes(state.range) ? state.range : "24h"}`);
}

const STEPS = [1, 2, 5, 10, 15, 30]
  .map((n) => n * SECOND)
  .concat(
    [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
    [1, 2, 3, 4, 6, 12].map((n) => n * HOUR),
    [1, 2, 5, 7, 14, 28, 56, 91, 182].map((n) => n * DAY),
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].map((n) => n * YEAR),
  );

/** Return `[{date, text, strong}]`: at most `count` ticks of the time axis, at round local times. */
export function ticks(since, until, count) {
  const step = STEPS.find((ms) => (until - since) / ms <= count) ?? STEPS.at(-1);
  const zone = zoneSeconds(since) * SECOND;
  const marks = [];
  for (let at = Math.ceil((since.getTime() + zone) / step) * step - zone; at < until.getTime(); at += step) {
    const date = new Date(at);
    const strong = isMidnight(date);
    marks.push({ date, text: tickText(date, step, strong), strong });
  }
  return marks;
}

function tickText(date, step, atMidnight) {
  if (step >= YEAR) return String(shown(date).getUTCFullYear());
  if (atMidnight || step >= DAY) return formats.shortDay.format(date);
  return step < MINUTE ? preciseText(date).slice(0, 8) : clockOf(date);
}

const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** Return the name of a day by its distance from today: -1 is "yesterday". */
export const daysText = (days) => relative.format(days, "day");

useZone(null);
