/** What alerts measure and when they fire, in the page's language. */

import { duration, figure } from "./format.js";
import { t } from "./i18n.js";

const sided = (rule, key) =>
  [
    ["above", rule.above],
    ["below", rule.below],
  ]
    .filter(([, bound]) => typeof bound === "number")
    .map(([side, bound]) => t(`alerts.${key}.${side}`, { bound: figure(bound) }))
    .join("");

/** Return when an alert fires: "events in 5 min > 10". */
export function conditionText(rule) {
  const { type, metric, window_s: seconds } = rule;
  return t(`alerts.when.${type}`, { window: duration(seconds), metric, bound: sided(rule, "when") });
}

/** Return what was measured: "12 events in 5 min, more than 10". Of changes of an earlier release only the text is known. */
export function measuredText(found) {
  const { type, metric, value, problems, window_s: seconds } = found;
  if (!type) return found.text;
  const window = duration(seconds);
  const said = (key, n) => t(`alerts.said.${key}`, { window, metric, n: figure(n ?? 0) });
  if (type === "removed") return said("removed");
  if (type === "new_problem") return said("new_problem", problems?.length || value);
  if (type === "silence") return said(value ? "count" : "silence", value);
  if (typeof value !== "number") return said("none");
  const breaches = value > found.above || value < found.below;
  return said(type, value) + sided(found, breaches ? "said" : "bound");
}
