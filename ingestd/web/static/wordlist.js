/** Lists of words: the table, what rises and falls, and lists of values with bars. */

import { h } from "./dom.js";
import { compact, number, percent } from "./format.js";
import { language, t } from "./i18n.js";
import { sparkline } from "./sparkline.js";
import { current, format, update } from "./state.js";

const FEW = 8;
const signed = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });

/** Return how a number changed: "▲ +900%", "new", or nothing if that is unknown. */
export function change(now, before) {
  if (before === null || before === undefined) return null;
  if (!before) return now ? h("span", { class: "change up" }, t("words.isnew")) : null;
  const part = (now - before) / before;
  const kind = part > 0 ? "up" : part < 0 ? "down" : "same";
  const arrow = { up: "▲ ", down: "▼ ", same: "" }[kind];
  const title = t("words.was", { n: number(before) });
  return h("span", { class: `change ${kind}`, title }, h("span", { "aria-hidden": "true" }, arrow), signed.format(part));
}

/** Return a figure: its name, its value, and what it is compared with. */
export const tile = (name, value, below = null) =>
  h("div", { class: "card tile" }, h("h2", {}, name), h("p", { class: "tile-value" }, value), below);

/** Return the searches for a word over time, small. */
const trend = ({ word, series }) => (series.length > 1 ? sparkline(series, t("words.trend", { word })) : null);

/** Return a link to the page of a word. */
export function wordLink(word) {
  return h(
    "a",
    {
      class: "word-link",
      href: `#${format({ ...current(), word })}`,
      title: word,
      data: { key: word },
      on: { click: (event) => open(event, word) },
    },
    word,
  );
}

function open(event, word) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  update({ word });
  scrollTo({ top: 0 });
}

/** Return the table of the most frequent words of an answer. */
export function wordTable({ words, before, previous_total: previousTotal }) {
  const compared = Boolean(before && previousTotal);
  const most = words[0].count;
  const head = (key, kind = "") => h("th", { scope: "col", class: kind }, t(key));
  return h(
    "table",
    { class: "words-table" },
    h("caption", { class: "sr-only" }, t("words.title")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        head("words.rank", "num"),
        head("words.word"),
        head("words.count", "num"),
        head("words.share", "num"),
        head("words.time"),
        compared ? [head("words.change", "num"), head("words.rankchange", "num")] : null,
      ),
    ),
    h(
      "tbody",
      {},
      words.map((word) => row(word, most, compared)),
    ),
  );
}

function row(word, most, compared) {
  return h(
    "tr",
    {},
    h("td", { class: "num muted" }, word.rank ? number(word.rank) : "–"),
    h("th", { scope: "row", class: "word-cell" }, bar(word.count, most), wordLink(word.word)),
    h("td", { class: "num" }, number(word.count)),
    h("td", { class: "num" }, percent(word.share, 1)),
    h("td", { class: "word-spark" }, trend(word)),
    compared
      ? [
          h("td", { class: "num" }, change(word.count, word.previous)),
          h("td", { class: "num" }, rankChange(word)),
        ]
      : null,
  );
}

function bar(count, most) {
  const found = h("span", { class: "top-bar" });
  found.style.width = `${(100 * count) / most}%`;
  return found;
}

/** Return how many places a word went up or down. */
function rankChange({ rank, previous_rank: before }) {
  if (!before || !rank) return h("span", { class: "muted" }, "–");
  const places = before - rank;
  if (!places) return h("span", { class: "muted" }, "=");
  const text = t(places > 0 ? "words.placesup" : "words.placesdown", { n: number(Math.abs(places)) });
  return h(
    "span",
    { class: `change ${places > 0 ? "up" : "down"}`, title: t("words.wasrank", { n: number(before) }) },
    h("span", { "aria-hidden": "true" }, `${places > 0 ? "↑" : "↓"} ${number(Math.abs(places))}`),
    h("span", { class: "sr-only" }, text),
  );
}

/** Return the card of one of the lists of changes: "rising", "new" or "fallen"; `find`: the text in all words. */
export function wordList(name, answer, find) {
  if (!answer.before || !answer.previous_total) return null;
  const words = answer[name].slice(0, FEW);
  const title = t(`words.${name}`);
  return h(
    "section",
    { class: "card words-changes", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title)),
    words.length
      ? h(
          "ol",
          { class: "top-list" },
          words.map((word) =>
            h(
              "li",
              { class: "words-change" },
              wordLink(word.word),
              trend(word),
              h("span", { class: "top-count" }, compact(word.count)),
              change(word.count, word.previous),
            ),
          ),
        )
      : h("p", { class: "card-text muted" }, t(find ? "words.notin" : `words.${name}.none`, { text: find })),
  );
}

/** Return a card with values and bars; `rows` are {text, title, count, open}, and `none` is said if there are none. */
export function plainList(title, rows, none, note = null) {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return h(
    "section",
    { class: "card top", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), note),
    rows.length
      ? h(
          "ol",
          { class: "top-list" },
          rows.slice(0, FEW).map(({ text, title: whole = text, count, open: act }) =>
            h(
              "li",
              { class: "top-row" },
              h(
                "button",
                { class: "top-pick", type: "button", title: whole, on: { click: act } },
                bar(count, most),
                h("span", { class: "top-value" }, text),
                h("span", { class: "top-count" }, compact(count)),
              ),
            ),
          ),
        )
      : h("p", { class: "card-text muted" }, none),
  );
}
