/** Panels with a table by a field: percentiles of a number, and requests, their rate and share of errors. */

import { ask } from "./api.js";
import { HERE, h, named } from "./dom.js";
import { cut, figure, number, percent, readable } from "./format.js";
import { t } from "./i18n.js";
import { PATH_FIELDS } from "./known_fields.js";
import { createPanelCard } from "./panel.js";
import { VISITS, condition, isFilterable, joined } from "./query.js";
import { addFilter } from "./state.js";

const ROWS = 10,
  MOST = 1000;
/** Maximum characters of conditions in a query, which may have 4,096 with the user's own; more are asked for apart. */
const LONGEST = 2000;
const PERCENTILES = ["p50", "p95", "p99"];
const FAILED = "(status_code:>=500 OR http.response.status_code:>=500)";

/** Return the panel of the percentiles of a number by the values of a field. */
export function createPercentiles(field, by, onClose) {
  const names = PERCENTILES.map((name) => `${name}:${field}`);
  return createPanelCard({
    title: by ? t("panel.by.title", { field, by }) : t("panel.percentiles.of", { field }),
    kind: "wide",
    onClose,
    async read(question, signal) {
      const all = await buckets(question, [`_exists_:${field}`], { metric: ["count", ...names], by, n: ROWS }, signal);
      const rows = all.map(({ key, metrics }) => [key[by], number(metrics.count), ...names.map((name) => cell(metrics[name]))]);
      return table(by, [t("panel.count"), ...PERCENTILES], rows);
    },
  });
}

/** Return the panel of requests, their rate and the share of those that failed (status 500 and above) by a field. */
export function createErrors(by, onClose) {
  return createPanelCard({
    title: t("panel.errors.by", { by }),
    kind: "wide",
    onClose,
    async read(question, signal) {
      const all = await buckets(question, [VISITS], { metric: ["count", "rate"], by, n: ROWS }, signal);
      const errors = await errorsOf(question, by, all.map(({ key }) => key[by]), signal);
      const rows = all.map(({ key, metrics: { count, rate: perSecond } }) => {
        const failed = errors.get(key[by]);
        const known = failed === undefined ? ["–", "–"] : [number(failed), percent(failed, count)];
        return [key[by], number(count), perMinute(perSecond), ...known];
      });
      return table(by, ["panel.requests", "panel.rate", "panel.errors", "panel.share"].map((key) => t(key)), rows);
    },
  });
}

/** Return how many requests of each of these values failed; a value that is too long for a query is missing. */
async function errorsOf(question, by, values, signal) {
  const errors = new Map();
  const askGroup = async ({ values: some, text }) => {
    const failed = await buckets(question, [VISITS, FAILED, text], { metric: ["count"], by, n: MOST }, signal);
    const counts = new Map(failed.map(({ key, metrics }) => [key[by], metrics.count]));
    for (const value of some) errors.set(value, counts.get(value) ?? 0);
  };
  await Promise.all(groupsOf(by, values).map(askGroup));
  return errors;
}

/** Return `[{values, text}]`: conditions that each match some of the values, as few as their length allows. */
export function groupsOf(by, values) {
  const groups = [];
  for (const value of values) {
    const text = condition({ field: by, value, path: PATH_FIELDS.includes(by) });
    if (text.length > LONGEST || !isFilterable(value)) continue;
    const last = groups.at(-1);
    if (last && last.length + text.length <= LONGEST) {
      last.values.push(value);
      last.texts.push(text);
      last.length += text.length;
    } else groups.push({ values: [value], texts: [text], length: text.length });
  }
  return groups.map(({ values: some, texts }) => ({ values: some, text: `(${texts.join(" OR ")})` }));
}

async function buckets({ q, since, until }, more, { metric, by, n }, signal) {
  const params = { q: joined(q, more), since, until, metric, by, n, paths: PATH_FIELDS.includes(by) ? 1 : null };
  return (await ask("aggregate", params, signal)).buckets;
}

const cell = (value) => (value === null || value === undefined ? "–" : figure(value));
const perMinute = (perSecond) => (perSecond === null ? "–" : figure(perSecond * 60));

function table(by, names, rows) {
  if (!rows.length) return h("p", { class: "top-none muted" }, t("top.none"));
  return h(
    "table",
    { class: "panel-table" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, by), names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(([value, ...cells]) => row(by, value, cells))),
  );
}

function row(by, value, cells) {
  const pick = h(
    "button",
    {
      type: "button",
      class: "panel-pick",
      title: cut(String(value)),
      disabled: !isFilterable(value),
      on: { click: () => addFilter(by, value, { path: PATH_FIELDS.includes(by) }) },
    },
    named(t("top.in", { field: by, value: HERE }), cut(readable(String(value)))),
  );
  return h("tr", {}, h("th", { scope: "row" }, pick), cells.map((text) => h("td", {}, text)));
}
