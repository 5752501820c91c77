/** The form for a rule of an alert, with a preview of what it would have done. */

import { ask, order } from "./api.js";
import { card } from "./cards.js";
import { h, put, svg } from "./dom.js";
import { duration, number, rate } from "./format.js";
import { t } from "./i18n.js";
import { failureText, hintText } from "./notices.js";
import { inputText } from "./time.js";

const TYPES = ["count", "rate", "change", "metric", "new_problem", "silence"];
const BOUNDED = ["count", "rate", "change", "metric"];
const FIELDS = { above: "bound", below: "bound" };
const DAYS = 3,
  MOST = 10;

/** Return the rule that a new alert starts with. */
export const draft = (query) => ({ query, above: 10 });

/** Return `{element, open(name, rule, channels)}`; `onSaved(name)` is called when a rule was saved. */
export function createEditor({ onSaved }) {
  const element = h("div", {});
  let before = null;

  function open(name, rule, channels) {
    before = document.activeElement;
    put(element, form(name, rule, channels, { saved, close }));
    const first = element.querySelector(name ? "[name=query]" : "[name=name]");
    first.focus();
    element.scrollIntoView({ block: "nearest" });
  }
  function close() {
    put(element);
    if (before?.isConnected) before.focus();
  }
  function saved(name) {
    close();
    onSaved(name);
  }
  return { element, open };
}

function form(name, rule, channels, { saved, close }) {
  const input = (key, value, options = {}) =>
    h("input", { class: "input small", name: key, value: value ?? "", autocomplete: "off", spellcheck: "false", ...options });
  const fields = {
    name: input("name", name, { required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", readonly: Boolean(name) }),
    type: select("type", TYPES, rule.type ?? "count", (type) => t(`alerts.type.${type}`)),
    query: input("query", rule.query, { class: "input small mono", maxlength: 4000 }),
    window: input("window", rule.window ?? "5m", { required: true }),
    metric: input("metric", rule.metric, { class: "input small mono", placeholder: "p95:duration_ms" }),
    side: select("side", ["above", "below"], rule.below === undefined ? "above" : "below", (side) => t(`alerts.${side}`)),
    bound: input("bound", rule.above ?? rule.below, { inputmode: "decimal" }),
    resolve: input("resolve", rule.resolve, { inputmode: "decimal" }),
    minimum: input("minimum", rule.minimum ?? 10, { inputmode: "numeric" }),
    evaluations: input("evaluations", rule.evaluations ?? 1, { inputmode: "numeric" }),
    remind: input("remind", rule.remind ?? ""),
    urgent: h("input", { type: "checkbox", name: "urgent", checked: rule.urgent === "yes" }),
  };
  const chosen = channels.map(({ channel }) =>
    h("input", { type: "checkbox", value: channel, checked: !rule.channels?.length || rule.channels.includes(channel) }),
  );
  const rows = {
    name: row("name", fields.name),
    type: row("type", fields.type),
    query: row("query", fields.query),
    window: row("window", fields.window),
    metric: row("metric", fields.metric),
    bound: h("div", { class: "alert-bound" }, row("side", fields.side), row("bound", fields.bound)),
    resolve: row("resolve", fields.resolve),
    minimum: row("minimum", fields.minimum),
    evaluations: row("evaluations", fields.evaluations),
    remind: row("remind", fields.remind),
  };
  const error = h("p", { class: "form-error", id: "alert-error", role: "alert" });
  const result = h("div", { class: "alert-preview", "aria-live": "polite" });
  const preview = h("button", { class: "button", type: "button", on: { click: show } }, t("alerts.preview"));

  function refine() {
    const type = fields.type.value;
    rows.metric.hidden = type !== "metric";
    rows.minimum.hidden = type !== "change";
    rows.bound.hidden = rows.resolve.hidden = !BOUNDED.includes(type);
    rows.evaluations.hidden = type === "new_problem";
  }
  fields.type.addEventListener("change", refine);
  refine();

  /** Return the rule as the server takes it: only what matters for its type, and differs from the defaults. */
  function written() {
    const type = fields.type.value;
    const found = { type, query: fields.query.value.trim(), window: fields.window.value.trim() };
    const take = (key, wanted = true) => {
      const text = fields[key].value.trim();
      if (wanted && text) found[key] = text;
    };
    if (BOUNDED.includes(type)) {
      found[fields.side.value] = fields.bound.value.trim();
      take("resolve");
    }
    take("metric", type === "metric");
    take("minimum", type === "change");
    take("evaluations", type !== "new_problem");
    take("remind");
    if (fields.urgent.checked) found.urgent = "yes";
    const names = chosen.filter((box) => box.checked).map((box) => box.value);
    if (names.length < channels.length) found.channels = names;
    return found;
  }

  /** Say what is wrong: below the field, if it is one of those that are shown, else above the buttons. */
  function report(failure) {
    const position = failure.column ? ` (${t("alerts.column", { n: failure.column })})` : "";
    const key = failure.column ? "query" : (FIELDS[failure.field] ?? failure.field);
    const control = fields[key]?.offsetParent ? fields[key] : null;
    if (control) {
      (rows[key] ?? control.parentElement).append(error);
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", error.id);
      control.focus();
    }
    error.textContent = [`${failureText(failure)}${position}`, hintText(failure)].filter(Boolean).join(" · ");
  }

  function forget() {
    error.textContent = "";
    buttons.before(error);
    for (const control of Object.values(fields)) {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
  }

  async function show() {
    forget();
    preview.setAttribute("aria-busy", "true");
    try {
      put(result, previewed(await ask("alert_preview", { rule: JSON.stringify(written()), days: DAYS })));
    } catch (failure) {
      put(result);
      report(failure);
    }
    preview.removeAttribute("aria-busy");
  }

  async function save(event) {
    event.preventDefault();
    forget();
    const wanted = written();
    if (channels.length && wanted.channels?.length === 0) {
      error.textContent = t("alerts.nochannel");
      return;
    }
    try {
      await order(`alerts/${encodeURIComponent(fields.name.value)}/save`, { rule: wanted });
      saved(fields.name.value);
    } catch (failure) {
      report(failure);
    }
  }

  const boxes = channels.length
    ? h(
        "fieldset",
        { class: "alert-channels" },
        h("legend", {}, t("alerts.channels")),
        channels.map(({ channel }, place) => h("label", { class: "alert-box" }, chosen[place], channel)),
      )
    : h("p", { class: "muted" }, t("alerts.nochannels"));
  const buttons = h(
    "div",
    { class: "dialog-buttons" },
    h("button", { class: "button", type: "button", on: { click: close } }, t("action.cancel")),
    preview,
    h("button", { class: "button primary", type: "submit" }, t("alerts.save")),
  );
  return card(
    t(name ? "alerts.change.title" : "alerts.new", { name }),
    null,
    h(
      "form",
      { class: "alert-form card-text", on: { submit: save } },
      Object.values(rows),
      h("label", { class: "alert-box" }, fields.urgent, t("alerts.urgent")),
      boxes,
      error,
      buttons,
      result,
    ),
  );
}

const row = (key, control) =>
  h("div", { class: "alert-cell" }, h("label", { class: "alert-field" }, h("span", {}, t(`alerts.field.${key}`)), control));

const select = (name, values, chosen, label) =>
  h(
    "select",
    { class: "input small", name },
    values.map((value) => h("option", { value, selected: value === chosen }, label(value))),
  );

/** Return what a rule would have done: a sentence, bars of its values, and when it would have fired. */
function previewed({ since, until, points, firings, window_s: seconds }) {
  const span = duration((new Date(until) - new Date(since)) / 1000);
  const times = firings.slice(-MOST).reverse();
  return [
    h("p", {}, h("b", {}, t("alerts.preview.times", { n: number(firings.length), span }))),
    bars(points),
    h("p", { class: "muted small" }, t("alerts.preview.note", { window: duration(seconds) })),
    h(
      "ul",
      { class: "reasons" },
      times.map((firing) =>
        h(
          "li",
          {},
          `${inputText(new Date(firing.since))} – ${firing.until ? inputText(new Date(firing.until)) : t("alerts.preview.open")}`,
          firing.value === null ? "" : `: ${rate(firing.value)}`,
        ),
      ),
    ),
  ];
}

function bars(points) {
  const most = Math.max(...points.map((point) => point.value ?? 0), 1e-9);
  const width = 1000 / points.length;
  const bar = ({ value, firing }, place) =>
    svg("rect", {
      class: firing ? "alert-bar firing" : "alert-bar",
      x: (place * width).toFixed(2),
      width: Math.max(width * 0.85, 0.5).toFixed(2),
      y: (60 - (58 * (value ?? 0)) / most).toFixed(2),
      height: ((58 * (value ?? 0)) / most + (firing ? 2 : 0)).toFixed(2),
    });
  const shown = points.map((point, place) => (point.value || point.firing ? bar(point, place) : null)).filter(Boolean);
  return svg(
    "svg",
    { class: "alert-bars", viewBox: "0 0 1000 62", preserveAspectRatio: "none", "aria-hidden": "true" },
    ...shown,
  );
}
