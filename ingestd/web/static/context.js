/** What happened around an event: on the same host, whatever is searched for, with the event marked. */

import { ask } from "./api.js";
import { compose, condition, joined } from "./query.js";
import { current, update } from "./state.js";
import { iso } from "./time.js";
import { valueAt } from "./values.js";

const HOSTS = ["host.name", "host.hostname", "host.ip", "host", "hostname"];
const HOUR_MS = 3600000,
  BAR_S = 10,
  EACH_SIDE = 30;

/** Return the field with the host of an event and its value, or null. */
export function hostOf(event) {
  for (const field of HOSTS) {
    const value = valueAt(event, field);
    if (typeof value === "string" && value) return { field, value, not: false, path: false };
  }
  return null;
}

/** How the state names an event. */
export const nameOf = (hit) => `${hit.index}/${hit.id}`;

/**
 * Show the events around a hit, about thirty before and after it, at most an hour each.
 *
 * The range is found with one question for how many there are; without an answer it is five minutes.
 */
export async function showContext(hit) {
  const time = Date.parse(hit.event["@timestamp"]);
  const host = hostOf(hit.event);
  const filters = host ? [host] : [];
  let [since, until] = [time - HOUR_MS / 24, time + HOUR_MS / 24];
  try {
    const { buckets } = await ask("histogram", {
      q: joined("", filters.map(condition)),
      since: iso(new Date(time - HOUR_MS)),
      until: iso(new Date(time + HOUR_MS)),
      seconds: BAR_S,
    });
    [since, until] = rangeAround(buckets, time);
  } catch {
    // The events may still be found.
  }
  // What was searched for stays marked.
  const sought = current().around ? current().sought : compose({ ...current(), level: "" }).text;
  update({
    ...{ from: iso(new Date(since)), to: iso(new Date(until)), range: "", live: false },
    ...{ q: "", filters, level: "", sort: "", around: hit.id ? nameOf(hit) : "", sought },
  });
}

/** Return the times, in ms, between which there are about `EACH_SIDE` events on each side. */
export function rangeAround(buckets, time) {
  const bars = buckets.map(({ time: start, counts }) => ({
    start: Date.parse(start),
    events: Object.values(counts).reduce((sum, count) => sum + count, 0),
  }));
  const edge = (near, limit, end) => {
    let events = 0;
    for (const bar of near) {
      events += bar.events;
      if (events > EACH_SIDE) return end(bar.start);
    }
    return limit;
  };
  const before = bars.filter(({ start }) => start <= time).reverse();
  const after = bars.filter(({ start }) => start + BAR_S * 1000 > time);
  return [
    edge(before, time - HOUR_MS, (start) => start),
    edge(after, time + HOUR_MS, (start) => start + BAR_S * 1000),
  ];
}
