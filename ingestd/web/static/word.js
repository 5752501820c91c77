/** The page of a word: over time, where it is searched for, and what is searched for next to it. */

import { ask } from "./api.js";
import { announce, h, put } from "./dom.js";
import { country, number, percent, readable } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { addFilter, current, format, update } from "./state.js";
import { createWordChart } from "./wordchart.js";
import { change, plainList, tile } from "./wordlist.js";
import { periodOf } from "./wordquery.js";

/** Return `{element, load(question, signal), leave(), fail(node)}`. */
export function createWord() {
  const title = h("h2", { class: "word-title" });
  const notice = h("div", { class: "words-notice" });
  const body = h("div", { class: "word-body" });
  const back = h(
    "a",
    { class: "button small", on: { click: (event) => goBack(event) } },
    h("span", { "aria-hidden": "true" }, "‹"),
    t("words.all"),
  );
  const logs = h(
    "button",
    { class: "button small", type: "button", on: { click: () => inLogs() } },
    icon("list", 14),
    t("words.logs"),
  );
  const element = h(
    "div",
    { class: "word-page" },
    h("div", { class: "word-head" }, back, title, logs),
    notice,
    body,
  );
  const chart = createWordChart();
  let shown = "";

  async function load(question, signal) {
    const { word } = question.state;
    title.textContent = word;
    back.href = `#${format({ ...question.state, word: "" })}`;
    if (word !== shown) put(body, h("div", { class: "card skeleton skeleton-chart" }));
    shown = word;
    const period = periodOf(question, 62);
    const answer = await ask("word", { ...period, word }, signal);
    put(notice);
    put(body, content(answer, chart.element));
    chart.show(answer, period.seconds, question.sinceDate, question.untilDate);
    announce(t("words.searches", { n: number(answer.count) }));
  }

  return { element, load, leave: () => (shown = ""), fail: (node) => put(notice, node) };
}

function goBack(event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  update({ word: "" });
}

function inLogs() {
  const { word } = current();
  addFilter("search_word", word, { tab: "logs", word: "" });
}

function content(answer, chart) {
  const { near, without_results: without } = answer;
  const values = ({ field, values: found }, name = String) =>
    found.map(({ value, count }) => ({
      text: readable(name(String(value))),
      title: name(String(value)),
      count,
      open: () => addFilter(field, value, { path: answer.paths.field === field }),
    }));
  return [
    h(
      "div",
      { class: "tiles" },
      tile(t("words.count"), number(answer.count), change(answer.count, answer.previous)),
      tile(t("words.share"), percent(answer.share, 1)),
      tile(
        t("words.rank"),
        answer.rank ? number(answer.rank) : "–",
        answer.previous_rank
          ? h("span", { class: "muted" }, t("words.wasrank", { n: number(answer.previous_rank) }))
          : null,
      ),
      tile(
        t("words.without"),
        without === null ? "–" : number(without),
        without === null ? h("span", { class: "muted" }, t("words.unknown")) : null,
      ),
    ),
    chart,
    h(
      "div",
      { class: "panels leaders" },
      plainList(t("words.countries"), values(answer.countries, country), t("words.noplaces")),
      plainList(t("words.regions"), values(answer.regions), t("words.noplaces")),
      plainList(t("words.paths"), values(answer.paths), t("top.none")),
      nextTo(near),
    ),
  ];
}

/** Return the words that the same visitors searched for within ten minutes. */
function nextTo({ visitors, sampled, words }) {
  const rows = words.map(({ word, visitors: count }) => ({ text: word, count, open: () => update({ word }) }));
  const note = visitors
    ? h("span", { class: "muted small" }, t(sampled ? "words.sampled" : "words.visitors", { n: number(visitors) }))
    : null;
  return plainList(t("words.next"), rows, t(visitors ? "words.nonext" : "words.noaddress"), note);
}
