/** A panel with the events over time by the values of any field. */

import { aborted, ask, isAway } from "./api.js";
import { h } from "./dom.js";
import { cut, readable } from "./format.js";
import { createHistogram } from "./histogram.js";
import { t } from "./i18n.js";
import { LEVEL_FIELDS } from "./known_fields.js";
import { failureText } from "./notices.js";
import { closeButton } from "./panel.js";
import { isFilterable } from "./query.js";
import { addFilter } from "./state.js";
import { zoneSeconds } from "./time.js";
import { showRange } from "./timepicker.js";

const SERIES = 6;
const REST = "…"; // as the server calls those that it does not count apart

/** Return how the values of a field are stacked in a histogram: see `createHistogram`. */
function seriesOf(answer) {
  const sums = new Map();
  for (const { counts } of answer.buckets)
    for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
  const named = [...sums].filter(([name]) => name && name !== REST).sort((a, b) => b[1] - a[1]);
  const shown = named.slice(0, SERIES).map(([name]) => name);
  return {
    names: [REST, ...shown.toReversed()],
    className: (name) => (name === REST ? "series-rest" : `series-${shown.indexOf(name)}`),
    label: (name) => (name === REST ? t("panel.rest") : cut(readable(name))),
    isValue: (name) => name !== REST && isFilterable(name),
    gather(counts) {
      const found = {};
      for (const [name, count] of Object.entries(counts)) {
        const own = shown.includes(name) ? name : REST;
        found[own] = (found[own] ?? 0) + count;
      }
      return found;
    },
  };
}

/** Return the panel `{element, load(question, signal)}`. */
export function createHistogramPanel(field, onClose) {
  const title = t("panel.over.time", { field });
  const histogram = createHistogram({
    title,
    seriesOf,
    onRange: showRange,
    onPick: (value) => addFilter(field, value, { path: field === LEVEL_FIELDS[0] }),
    tools: closeButton(title, onClose),
  });
  histogram.element.classList.add("panel", "wide");
  let loads = 0;
  return {
    element: histogram.element,
    async load({ q, since, until, sinceDate, untilDate }, signal) {
      const turn = ++loads;
      histogram.element.setAttribute("aria-busy", "true");
      try {
        const params = { q, since, until, offset: zoneSeconds(sinceDate), field };
        const answer = await ask("histogram", params, signal);
        if (turn === loads) histogram.show(answer, sinceDate, untilDate);
      } catch (error) {
        if (turn === loads && !aborted(error) && !isAway(error))
          histogram.fail(h("p", { class: "top-none muted" }, failureText(error)));
      }
      if (turn === loads) histogram.element.removeAttribute("aria-busy");
    },
  };
}
