/** A word over time: bars, and a line for the period before. */

import { h, svg } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { inputText, rangeText } from "./time.js";

const WIDTH = 1000,
  HEIGHT = 160;

/** Return the card; the table below the chart is for screen readers. */
export function wordChart({ word, times, series, previous_series: before, before: period }) {
  const title = t("words.overtime");
  const compared = period && before.some(Boolean);
  const most = Math.max(1, ...series, ...(compared ? before : []));
  const step = WIDTH / Math.max(series.length, 1);
  const y = (count) => HEIGHT - (HEIGHT * count) / most;
  const label = (place) => inputText(new Date(times[place]));
  const bars = series.map((count, place) =>
    svg(
      "rect",
      { class: "word-bar", x: step * place + step * 0.1, y: y(count), width: step * 0.8, height: HEIGHT - y(count) },
      svg("title", {}, `${label(place)}: ${number(count)}`),
    ),
  );
  const points = before
    .slice(0, series.length)
    .map((count, place) => `${step * (place + 0.5)},${y(count)}`)
    .join(" ");
  return h(
    "section",
    { class: "card", "aria-label": title },
    h(
      "div",
      { class: "card-head" },
      h("h2", {}, title),
      compared
        ? h(
            "span",
            { class: "muted small word-legend" },
            h("span", { class: "line-swatch" }),
            t("words.line", { range: rangeText(new Date(period.since), new Date(period.until)) }),
          )
        : null,
    ),
    h(
      "div",
      { class: "word-chart" },
      h("span", { class: "word-most muted small", "aria-hidden": "true" }, number(most)),
      svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": summary() },
        bars,
        compared ? svg("polyline", { class: "word-before", points, "vector-effect": "non-scaling-stroke" }) : null,
      ),
      h(
        "div",
        { class: "word-axis muted small", "aria-hidden": "true" },
        times.length ? [h("span", {}, label(0)), h("span", {}, label(times.length - 1))] : null,
      ),
    ),
  );

  function summary() {
    const top = series.indexOf(Math.max(...series));
    return series.length ? t("words.most", { word, time: label(top), n: number(series[top]) }) : title;
  }
}
