/** A panel with one number: a metric of the events, or of a field of them. */

import { ask } from "./api.js";
import { h } from "./dom.js";
import { changeText, figure } from "./format.js";
import { t } from "./i18n.js";
import { createPanelCard } from "./panel.js";
import { iso } from "./time.js";

/** Return the panel of `metric` ("avg", "p95" ...; "count" and "rate" need no field) of a field. */
export function createNumber(metric, field, onClose) {
  const title = field ? t("panel.of", { metric: t(`metric.${metric}`), field }) : t(`metric.${metric}`);
  const name = field ? `${metric}:${field}` : metric;

  async function valueOf({ q, since, until }, signal) {
    const { buckets } = await ask("aggregate", { metric: name, q, since, until }, signal);
    return buckets[0]?.metrics[name] ?? null;
  }
  function before({ q, sinceDate, untilDate }, signal) {
    const since = iso(new Date(sinceDate.getTime() - (untilDate - sinceDate)));
    return valueOf({ q, since, until: iso(sinceDate) }, signal);
  }
  return createPanelCard({
    title,
    kind: "number",
    onClose,
    async read(question, signal) {
      const value = await valueOf(question, signal);
      const earlier = question.state.compare ? await before(question, signal) : null;
      return [
        h("p", { class: "number-value" }, value === null ? t("top.none") : figure(value)),
        value !== null && earlier !== null
          ? h("p", { class: "muted" }, `${changeText(value, earlier)} · ${t(metric === "count" ? "chart.before" : "panel.before", { n: figure(earlier) })}`)
          : null,
      ];
    },
  });
}
