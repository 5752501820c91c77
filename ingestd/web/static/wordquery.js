/** What is asked about words: a period, and the intervals that a series has. */

import { zoneName, zoneSeconds } from "./time.js";

const MINUTE = 60,
  HOUR = 3600,
  DAY = 86400;
/** Widths of the intervals of a series, in seconds; the last are for years. */
const WIDTHS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 12 * HOUR, DAY, 7 * DAY, 28 * DAY, 364 * DAY, 3640 * DAY];

/** Return the parameters of a question: its period, the zone of days, and a width for about `points` intervals. */
export function periodOf({ q, since, until, sinceDate, untilDate }, points) {
  const span = (untilDate - sinceDate) / 1000;
  return {
    q,
    since,
    until,
    zone: zoneName(),
    seconds: WIDTHS.find((width) => span / width <= points) ?? WIDTHS.at(-1),
    offset: zoneSeconds(sinceDate),
  };
}
