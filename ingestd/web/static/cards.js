/** Building blocks of the page "Status": cards, and tables in them. */

import { h } from "./dom.js";

/** Return a card: `note` is shown next to its title. */
export function card(title, note, ...content) {
  return h(
    "section",
    { class: "card", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), note),
    content,
  );
}

/** Return a table, on a phone a card for each row: `columns` are [title, class, value of a row]. */
export function table(title, columns, rows) {
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "group", "aria-label": title },
    h(
      "table",
      { class: "plain" },
      h("caption", { class: "sr-only" }, title),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            columns.map(([name, kind, value]) => h("td", { class: kind, data: { label: name } }, value(row))),
          ),
        ),
      ),
    ),
  );
}

/** Return the sum of a number over all rows. */
export const sum = (rows, name) => rows.reduce((all, row) => all + row[name], 0);
