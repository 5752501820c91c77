/** One expanded event: stack trace, all fields with their actions, JSON. */

import { hostOf, showContext } from "./context.js";
import { copy, h } from "./dom.js";
import { plain } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { markedJson } from "./marks.js";
import { isFilterable } from "./query.js";
import { addFilter, current, toggleIn } from "./state.js";
import { stackBlock, stackOf } from "./stack.js";
import { zonedText } from "./time.js";
import { createTrace } from "./trace.js";
import { flatten } from "./values.js";

/** Characters beyond which a value may be scrolled on a phone, so that the keyboard has to get there. */
const LONG = 200;

/** Return the expanded record of a hit. `mark(text, path)`: marks the matches of the query. */
export function record(hit, mark) {
  const stack = stackOf(hit.event);
  const json = JSON.stringify(hit.event, null, 2);
  const host = hostOf(hit.event);
  const time = new Date(hit.event["@timestamp"]);
  const copyButton = h(
    "button",
    { class: "button small", type: "button" },
    icon("copy", 14),
    h("span", { data: { label: "" } }, t("record.copy")),
  );
  copyButton.addEventListener("click", () => copy(json, copyButton, t("record.copied")));
  const fields = h(
    "dl",
    { class: "fields-list" },
    flatten(hit.event).map(([path, values]) => field(path, values, mark)),
  );
  const raw = h(
    "pre",
    { class: "json", hidden: true, tabindex: "0", role: "group", "aria-label": t("record.json") },
    markedJson(hit.event, mark),
  );
  const trace = createTrace(hit, mark);
  const views = { fields, json: raw, trace: trace.element };
  if (Number.isNaN(time.getTime())) delete views.trace; // it is found by its time
  const choose = Object.keys(views).map((name) =>
    h(
      "button",
      {
        type: "button",
        class: "segment",
        "aria-pressed": String(name === "fields"),
        data: { view: name },
        on: { click: () => view(name) },
      },
      t(`record.${name}`),
    ),
  );
  function view(name) {
    for (const [key, node] of Object.entries(views)) node.hidden = key !== name;
    if (name === "trace") trace.load();
    for (const button of choose) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  }
  return h(
    "div",
    { class: "record" },
    stack ? stackBlock(stack, mark) : null,
    h(
      "div",
      { class: "record-bar" },
      h("div", { class: "segments" }, choose),
      Number.isNaN(time.getTime())
        ? null
        : h(
            "button",
            {
              class: "button small",
              type: "button",
              title: host ? t("record.around.host", { host: host.value }) : t("record.around.all"),
              on: { click: () => showContext(hit) },
            },
            icon("clock", 14),
            t("record.around"),
          ),
      copyButton,
      h("span", { class: "muted record-index" }, `${hit.index} · ${hit.id}`),
    ),
    fields,
    raw,
    trace.element,
  );
}

function field(path, values, mark) {
  const scalar = values.filter((value) => value !== null && value !== "");
  return h(
    "div",
    { class: "field" },
    h("dt", {}, path),
    h(
      "dd",
      {},
      h(
        "div",
        { class: "field-values" },
        values.map((value) =>
          h(
            "span",
            { class: "field-value" },
            fieldText(path, value, mark),
            scalar.includes(value) && isFilterable(value) ? tools(path, value) : null,
          ),
        ),
      ),
      path === "@timestamp"
        ? null
        : h(
            "button",
            {
              type: "button",
              class: "tool column",
              "aria-label": t(current().cols.includes(path) ? "fields.drop" : "fields.add", { field: path }),
              title: t("record.column"),
              "aria-pressed": String(current().cols.includes(path)),
              on: { click: () => toggleIn("cols", path) },
            },
            icon("columns", 14),
          ),
    ),
  );
}

/** The value, as it was stored; the time of the event as in its row, with the zone. */
function fieldText(path, value, mark) {
  const time = path === "@timestamp" ? zonedText(new Date(value)) : "";
  const text = plain(value);
  const scrolls = text.length > LONG ? { tabindex: "0", role: "group", "aria-label": path } : {};
  return h("span", { class: "field-text", title: time ? value : null, ...scrolls }, time || mark(text, path));
}

/** Return the buttons that filter a value in and out. */
export function tools(path, value) {
  const shown = plain(value).slice(0, 80);
  const button = (key, glyph, not) =>
    h(
      "button",
      {
        type: "button",
        class: "tool",
        "aria-label": t(not ? "top.out" : "top.in", { field: path, value: shown }),
        title: t(key),
        on: {
          click: (event) => {
            event.stopPropagation();
            addFilter(path, value, { not });
          },
        },
      },
      icon(glyph, 14),
    );
  return h("span", { class: "tools" }, button("record.in", "plus", false), button("record.out", "minus", true));
}
