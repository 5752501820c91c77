/**
 * Panels that a user makes of any field, and how the state (`charts`) names them.
 *
 * A field alone is its most frequent values; `~kind~part~part` are the others, with the parts percent-encoded:
 * `~histogram~FIELD`, `~number~METRIC~FIELD`, `~percentiles~FIELD~BY`, `~errors~BY`.
 */

import { h, popup } from "./dom.js";
import { PATH_FIELDS } from "./known_fields.js";
import { createHistogramPanel } from "./panel_histogram.js";
import { createNumber } from "./panel_number.js";
import { createErrors, createPercentiles } from "./panel_table.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { current, update } from "./state.js";
import { createTop } from "./top.js";

const KINDS = {
  top: ([field], close) => createTop({ title: t("top.field", { field }), fields: [field], onClose: close }),
  histogram: ([field], close) => createHistogramPanel(field, close),
  number: ([metric, field = ""], close) => createNumber(metric, field, close),
  percentiles: ([field, by], close) => createPercentiles(field, by, close),
  errors: ([by], close) => createErrors(by, close),
};
const METRICS = ["avg", "sum", "min", "max", "p50", "p75", "p90", "p95", "p99", "distinct", "count", "rate"];
const WITHOUT_FIELD = ["count", "rate"];
const MOST = 20;

/** Return the text of a panel for the state. */
export const panelText = (kind, ...parts) =>
  kind === "top" && !parts[0].startsWith("~")
    ? parts[0]
    : ["", kind, ...parts].map((part) => encodeURIComponent(part).replace(/~/g, "%7E")).join("~");

/** Return the panel of a text of the state, `{element, load(question, signal)}`; null if it names none. */
export function createPanel(text, close) {
  if (!text.startsWith("~")) return KINDS.top([text], close);
  try {
    const [, kind, ...parts] = text.split("~").map(decodeURIComponent);
    return Object.hasOwn(KINDS, kind) && parts[0] ? KINDS[kind](parts, close) : null;
  } catch {
    return null; // an address that was cut or typed
  }
}

/** Return the button that adds panels; `fields()`: names of fields to choose from. */
export function addPanelButton({ fields }) {
  const button = h("button", { class: "ghost small", type: "button" }, icon("plus", 14), t("panel.add"));
  return popup({ button, label: t("panel.add"), content: (close) => form(fields(), close) });
}

function add(text) {
  const { charts } = current();
  update({ charts: [...charts.filter((other) => other !== text), text].slice(-MOST) });
}

function form(fields, close) {
  const path = PATH_FIELDS.find((name) => fields.includes(name)) ?? PATH_FIELDS[0];
  const ready = [
    ["panel.ready.duration", panelText("percentiles", "duration_ms", path)],
    ["panel.ready.errors", panelText("errors", path)],
  ].map(([key, text]) =>
    h("button", { class: "choice", type: "button", on: { click: () => finish(text) } }, icon("plus", 14), t(key)),
  );
  const options = (names, key) => names.map((name) => h("option", { value: name }, t(`${key}.${name}`)));
  const kind = h("select", { class: "input", name: "kind" }, options(["top", "histogram", "number", "percentiles"], "panel"));
  const metric = h("select", { class: "input", name: "metric" }, options(METRICS, "metric"));
  const field = h("input", { class: "input", name: "field", list: "panel-fields", autocomplete: "off", required: true });
  const by = h("input", { class: "input", name: "by", list: "panel-fields", autocomplete: "off", required: true });
  by.value = path;
  const label = (key, input) => h("label", {}, h("span", {}, t(key)), input);
  const rows = { metric: label("panel.metric", metric), field: label("panel.field", field), by: label("panel.by", by) };

  function fit() {
    const withField = kind.value !== "number" || !WITHOUT_FIELD.includes(metric.value);
    rows.metric.hidden = kind.value !== "number";
    rows.field.hidden = !withField;
    field.required = withField;
    rows.by.hidden = !(by.required = kind.value === "percentiles");
  }
  function finish(text) {
    close();
    add(text);
  }
  kind.addEventListener("change", fit);
  metric.addEventListener("change", fit);
  fit();
  const element = h(
    "form",
    { class: "panel-form" },
    h("p", { class: "popup-title" }, t("panel.own")),
    label("panel.kind", kind),
    Object.values(rows),
    h("datalist", { id: "panel-fields" }, fields.map((name) => h("option", { value: name }))),
    h("button", { class: "button primary", type: "submit" }, t("panel.submit")),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = field.value.trim();
    const parts = {
      top: [name],
      histogram: [name],
      number: rows.field.hidden ? [metric.value] : [metric.value, name],
      percentiles: [name, by.value.trim()],
    }[kind.value];
    finish(panelText(kind.value, ...parts));
  });
  return h("div", { class: "choices" }, h("p", { class: "popup-title" }, t("panel.ready")), ready, element);
}
