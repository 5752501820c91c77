/** The fields of the newest events: how many have each field, and its most frequent values there. */

import { h, put } from "./dom.js";
import { cut, number, percent, plain, readable } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { isFilterable } from "./query.js";
import { tools } from "./record.js";
import { current, toggleIn } from "./state.js";
import { flatten } from "./values.js";

const VALUES = 5;

/** Return `[{path, events, values: [{value, count}]}]` of events, the most frequent first. */
export function summarize(events) {
  const fields = new Map();
  for (const event of events) {
    for (const [path, values] of flatten(event)) {
      const field = fields.get(path) ?? { path, events: 0, counts: new Map() };
      fields.set(path, field);
      field.events += 1;
      for (const value of new Set(values)) field.counts.set(value, (field.counts.get(value) ?? 0) + 1);
    }
  }
  return [...fields.values()]
    .map(({ path, events: count, counts }) => ({
      path,
      events: count,
      values: [...counts]
        .sort((a, b) => b[1] - a[1])
        .slice(0, VALUES)
        .map(([value, times]) => ({ value, count: times })),
    }))
    .sort((a, b) => b.events - a.events || a.path.localeCompare(b.path));
}

/** Return `{element, show(events)}`. */
export function createFields() {
  const find = h("input", {
    class: "input small",
    type: "search",
    placeholder: t("fields.find"),
    "aria-label": t("fields.find"),
    autocomplete: "off",
    spellcheck: "false",
    on: { input: () => list() },
  });
  const sample = h("p", { class: "muted small" });
  const items = h("ul", { class: "field-names" });
  const open = new Set();
  const element = h(
    "details",
    { class: "card sidebar" },
    h("summary", {}, h("h2", {}, t("fields.title"))),
    h("div", { class: "sidebar-body" }, find, items, sample),
  );
  element.open = matchMedia("(min-width: 1000px)").matches;
  let fields = [],
    total = 0;

  function list() {
    const wanted = find.value.trim().toLowerCase();
    const found = fields.filter(({ path }) => path.toLowerCase().includes(wanted));
    put(items, found.length || !wanted ? found.map(item) : h("li", { class: "muted" }, t("fields.none")));
  }
  function item(field) {
    const { path } = field;
    const shown = current().cols.includes(path);
    const more = h("div", { class: "field-more", hidden: !open.has(path) });
    const button = h(
      "button",
      {
        type: "button",
        class: "field-name",
        "aria-expanded": String(open.has(path)),
        title: t("fields.in", { share: percent(field.events, total) }),
      },
      h("span", { class: "field-path" }, path),
      h("span", { class: "muted" }, percent(field.events, total)),
    );
    const unfold = () => put(more, details(field));
    if (open.has(path)) unfold();
    button.addEventListener("click", () => {
      if (open.delete(path) === false) open.add(path);
      more.hidden = !open.has(path);
      button.setAttribute("aria-expanded", String(open.has(path)));
      unfold();
    });
    return h(
      "li",
      {},
      h(
        "div",
        { class: "field-line" },
        button,
        h(
          "button",
          {
            type: "button",
            class: "tool",
            "aria-pressed": String(shown),
            "aria-label": t(shown ? "fields.drop" : "fields.add", { field: path }),
            title: t(shown ? "fields.drop" : "fields.add", { field: path }),
            on: { click: () => toggleIn("cols", path) },
          },
          icon(shown ? "minus" : "plus", 14),
        ),
      ),
      more,
    );
  }
  function details({ path, events, values }) {
    const charted = current().charts.includes(path);
    return [
      values.map(({ value, count }) => {
        const bar = h("span", { class: "top-bar" });
        bar.style.width = `${(100 * count) / events}%`;
        return h(
          "div",
          { class: "field-top" },
          bar,
          h("span", { class: "top-value", title: cut(plain(value)) }, cut(readable(plain(value))) || "–"),
          h("span", { class: "top-count" }, percent(count, events)),
          value === null || value === "" || !isFilterable(value) ? null : tools(path, value),
        );
      }),
      h(
        "button",
        { type: "button", class: "ghost small", on: { click: () => toggleIn("charts", path) } },
        icon("trend", 14),
        t(charted ? "fields.unchart" : "fields.chart"),
      ),
    ];
  }

  return {
    element,
    show(events) {
      fields = summarize(events);
      total = events.length;
      sample.textContent = total ? t("fields.sample", { n: number(total) }) : "";
      list();
    },
  };
}
