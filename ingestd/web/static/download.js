/** Downloads: all events of the search that is shown, as CSV, NDJSON or Parquet. */

import { address, serverNow } from "./api.js";
import { h, popup } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { current } from "./state.js";
import { iso, rangeText } from "./time.js";

const FORMATS = ["csv", "ndjson", "parquet"];

/** Return the button; `question()` is what is shown, null if nothing is. */
export function downloadButton({ question }) {
  const button = h(
    "button",
    { class: "ghost square small", type: "button", "aria-label": t("download.title"), title: t("download.title") },
    icon("download"),
  );
  return popup({ button, label: t("download.title"), align: "right", content: (close) => content(question(), close) });
}

function content(question, close) {
  if (!question) return h("p", { class: "popup-text" }, t("chart.none"));
  const { cols, live } = current();
  const shown = live ? { ...question, untilDate: serverNow(), until: iso(serverNow()) } : question;
  const only = h("input", { type: "checkbox", class: "switch", role: "switch", on: { change: () => link() } });
  only.checked = cols.length > 0;
  const links = FORMATS.map((format) =>
    h(
      "a",
      { class: "choice", data: { format }, download: `${fileName(shown)}.${format}`, on: { click: () => close() } },
      t(`download.${format}`),
    ),
  );
  function link() {
    const fields = only.checked ? ["@timestamp", "level", ...cols, "message"] : [];
    for (const choice of links) choice.href = exportAddress(shown, choice.dataset.format, fields);
  }
  link();
  return h(
    "div",
    { class: "choices" },
    h("p", { class: "popup-text" }, t("download.text", { range: rangeText(shown.sinceDate, shown.untilDate) })),
    links,
    cols.length ? h("label", { class: "choice check" }, only, h("span", {}, t("download.columns"))) : null,
  );
}

const fileName = ({ since, until }) =>
  `events-${[since, until].map((time) => time.slice(0, 16).replace(/[-:]/g, "")).join("-")}Z`;

function exportAddress({ q, since, until }, format, fields) {
  const more = new URLSearchParams([...new Set(fields)].map((field) => ["field", field])).toString();
  return `${address("export", { format, q, since, until })}${more && `&${more}`}`;
}
