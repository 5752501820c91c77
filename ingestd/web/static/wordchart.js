/** A word over time, as all other events over time, with the period before behind it. */

import { h } from "./dom.js";
import { number } from "./format.js";
import { createHistogram } from "./histogram.js";
import { t } from "./i18n.js";
import { inputText } from "./time.js";
import { showRange } from "./timepicker.js";

const sumOf = (counts) => counts.reduce((sum, count) => sum + count, 0);

/** Return `{element, show(answer, seconds, since, until)}`; `seconds`: the width of the answer's intervals. */
export function createWordChart() {
  const most = h("p", { class: "card-text muted small" });
  let shown = "";
  const chart = createHistogram({
    title: t("words.overtime"),
    totalText: "words.searches",
    seriesOf: () => seriesOf(shown),
    onRange: showRange,
    onPick() {},
  });
  chart.element.append(most);

  function show({ word, times, series, previous_series: previous, before }, seconds, since, until) {
    shown = word;
    const answerOf = (counts, shiftMs) => ({
      seconds,
      total: sumOf(counts),
      buckets: times.map((time, place) => ({
        time: new Date(Date.parse(time) - shiftMs),
        counts: counts[place] ? { [word]: counts[place] } : {},
      })),
    });
    chart.show(answerOf(series, 0), since, until);
    const compared = previous.slice(0, series.length);
    if (before && compared.some(Boolean)) {
      const shiftMs = since.getTime() - Date.parse(before.since);
      chart.compare(answerOf(compared, shiftMs), shiftMs);
    }
    const top = series.indexOf(Math.max(...series));
    most.textContent = series[top] ? t("words.most", { word, time: inputText(new Date(times[top])), n: number(series[top]) }) : "";
  }

  return { element: chart.element, show };
}

const seriesOf = (word) => ({
  names: [word],
  className: () => "word-series",
  label: String,
  isValue: () => false,
  gather: (counts) => counts,
});
