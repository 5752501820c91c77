/** One expanded event: stack trace, all fields with their actions, JSON. */

import { copy, h } from "./dom.js";
import { plain } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { addFilter, current, toggleIn } from "./state.js";
import { showAround } from "./timepicker.js";
import { createTrace } from "./trace.js";

/**
 * Return `[path, values]` for each leaf of an event, in its order; objects are flattened (`geoip.country_code2`).
 *
 * An array of plain values yields those values; one with objects yields its JSON.
 */
export function flatten(event, prefix = "") {
  return Object.entries(event).flatMap(([key, value]) => {
    const path = prefix + key;
    if (Array.isArray(value))
      return [
        [path, value.some((part) => part !== null && typeof part === "object") ? [JSON.stringify(value)] : value],
      ];
    if (value !== null && typeof value === "object") return flatten(value, `${path}.`);
    return [[path, [value]]];
  });
}

/** Return the first value at a path of `flatten`, or undefined. */
export function valueAt(event, path) {
  if (path in event) return event[path];
  const dot = path.indexOf(".");
  for (let at = dot; at > 0; at = path.indexOf(".", at + 1)) {
    const inner = event[path.slice(0, at)];
    if (inner !== null && typeof inner === "object") {
      const found = valueAt(inner, path.slice(at + 1));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

const STACKS = ["stack_trace", "error.stack_trace", "exc_info", "exc_text", "traceback"];

/** Return the stack trace of an event, or "". */
export function stackOf(event) {
  const found = STACKS.map((path) => valueAt(event, path)).find((value) => typeof value === "string" && value.trim());
  return found ? found.replace(/\s+$/, "") : "";
}

/** Return a block with a stack trace. Its last line, the error message, is highlighted. */
export function stackBlock(text) {
  const lines = text.split("\n");
  const last = lines.pop();
  return h(
    "pre",
    { class: "stack", tabindex: "0", role: "group", "aria-label": t("record.stack") },
    lines.length ? `${lines.join("\n")}\n` : "",
    h("b", {}, last),
  );
}

/** Return the expanded record of a hit. */
export function record(hit) {
  const stack = stackOf(hit.event);
  const json = JSON.stringify(hit.event, null, 2);
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
    flatten(hit.event).map(([path, values]) => field(path, values)),
  );
  const raw = h(
    "pre",
    { class: "json", hidden: true, tabindex: "0", role: "group", "aria-label": t("record.json") },
    json,
  );
  const trace = createTrace(hit);
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
    stack ? stackBlock(stack) : null,
    h(
      "div",
      { class: "record-bar" },
      h("div", { class: "segments" }, choose),
      Number.isNaN(time.getTime())
        ? null
        : h(
            "button",
            { class: "button small", type: "button", on: { click: () => showAround(time) } },
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

function field(path, values) {
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
            h("span", { class: "field-text" }, plain(value)),
            scalar.includes(value) && String(value).length <= 1000 ? tools(path, value) : null,
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
