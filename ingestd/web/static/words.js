/** The page "Words": what visitors search for, what rises and falls, and the page of each word. */

import { aborted, ask, isAway } from "./api.js";
import { announce, h, put } from "./dom.js";
import { number, percent } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failure } from "./notices.js";
import { update } from "./state.js";
import { rangeText } from "./time.js";
import { createWord } from "./word.js";
import { change, plainList, tile, wordList, wordTable } from "./wordlist.js";
import { periodOf } from "./wordquery.js";

const SHOWN = 50,
  DOWNLOADED = 1000,
  TYPING_MS = 300;

/**
 * Return `{element, load(question, signal), stop()}`; `onFault(error)`: the query is invalid; `onRetry()`: load everything
 * again.
 */
export function createWords({ onFault, onRetry }) {
  const overview = createOverview();
  const word = createWord();
  const element = h("div", { class: "words-page" });

  async function load(question, signal) {
    const view = question.state.word ? word : overview;
    if (view !== word) word.leave();
    if (element.firstChild !== view.element) put(element, view.element);
    element.setAttribute("aria-busy", "true");
    try {
      await view.load(question, signal);
    } catch (error) {
      if (aborted(error)) return;
      if (error.status === 400) onFault(error);
      else if (!isAway(error)) view.fail(failure(error, onRetry));
    } finally {
      if (!signal.aborted) element.removeAttribute("aria-busy");
    }
  }

  return { element, load, stop: word.leave };
}

function createOverview() {
  let asked = null,
    typing = 0;
  const find = h("input", {
    class: "input small",
    type: "search",
    "aria-label": t("words.find"),
    placeholder: t("words.find"),
    autocomplete: "off",
    spellcheck: "false",
    on: {
      input: () => {
        clearTimeout(typing);
        typing = setTimeout(() => update({ find: find.value.trim() }, { replace: true }), TYPING_MS);
      },
    },
  });
  const csv = h(
    "button",
    { class: "button small", type: "button", on: { click: () => download() } },
    icon("down", 14),
    t("words.csv"),
  );
  const tiles = h("div", { class: "tiles" });
  const notice = h("div", { class: "words-notice" });
  const list = h("div", { class: "words-list skeleton skeleton-table" });
  const note = h("p", { class: "card-text muted small words-note", hidden: true });
  const side = h("div", { class: "words-side" });
  const grid = h(
    "div",
    { class: "words-grid" },
    h(
      "section",
      { class: "card", "aria-label": t("words.title") },
      h("div", { class: "card-head" }, h("h2", {}, t("words.title")), h("div", { class: "words-tools" }, find, csv)),
      list,
      note,
    ),
    side,
  );
  const element = h("div", { class: "words-overview" }, tiles, notice, grid);

  async function load(question, signal) {
    asked = question;
    if (document.activeElement !== find) find.value = question.state.find;
    const answer = await ask(
      "words",
      { ...periodOf(question, 31), n: SHOWN, find: question.state.find },
      signal,
    );
    show(answer, question);
    announce(t("words.announced", { n: number(answer.matching) }));
  }

  function show(answer, question) {
    put(notice, comparison(answer));
    put(tiles, summary(answer));
    list.className = "words-list";
    put(list, answer.words.length ? wordTable(answer) : h("p", { class: "card-text muted" }, nothing(question)));
    note.hidden = answer.matching <= answer.words.length;
    note.textContent = note.hidden ? "" : cut(answer);
    csv.disabled = !answer.words.length;
    const { find: text } = question.state;
    put(side, ["rising", "new", "fallen"].map((name) => wordList(name, answer, text)), unanswered(answer, text));
    grid.classList.toggle("alone", !side.firstChild);
  }

  const nothing = ({ state }) => t(state.find ? "words.notfound" : "words.none", { text: state.find });

  async function download() {
    csv.disabled = true;
    try {
      const answer = await ask("words", {
        ...periodOf(asked, 31),
        n: DOWNLOADED,
        find: asked.state.find,
        csv: 1,
      });
      save(answer.csv, `words-${asked.since.slice(0, 10)}-${asked.until.slice(0, 10)}.csv`);
    } catch (error) {
      put(notice, failure(error, download));
    } finally {
      csv.disabled = false;
    }
  }

  return { element, load, fail: (node) => put(notice, node) };
}

function save(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Return how many words the table leaves out, and the download if it does, too. */
function cut({ words, matching }) {
  const shown = t("words.most_shown", { n: number(words.length), all: number(matching) });
  return matching > DOWNLOADED ? `${shown} ${t("words.most_csv", { n: number(DOWNLOADED) })}` : shown;
}

/** Return what the period is compared with, or that there is nothing to compare with. */
function comparison({ before, previous_total }) {
  if (!before) return null;
  const range = rangeText(new Date(before.since), new Date(before.until));
  return h("p", { class: "muted hint-line" }, t(previous_total ? "words.before" : "words.nobefore", { range }));
}

function summary(answer) {
  const without = answer.without_results;
  return [
    tile(t("words.total"), number(answer.total), change(answer.total, answer.previous_total)),
    tile(t("words.distinct"), number(answer.distinct), change(answer.distinct, answer.previous_distinct)),
    tile(
      t("words.without"),
      without.known ? number(without.count) : "–",
      h("span", { class: "muted" }, without.known ? percent(without.count, answer.total) : t("words.unknown")),
    ),
  ];
}

function unanswered({ without_results: { known, count: all, words } }, find) {
  if (!known) return null;
  const rows = words.map(({ word, count }) => ({ text: word, count, open: () => update({ word }) }));
  return plainList(t("words.without"), rows, t(find && all ? "words.notin" : "words.allfound", { text: find }));
}
