/** The search words of a place: its most frequent ones, or those that are more frequent there than elsewhere. */

import { aborted, ask, isAway } from "./api.js";
import { h, put } from "./dom.js";
import { number, rate } from "./format.js";
import { t } from "./i18n.js";
import { failureText } from "./notices.js";
import { condition, joined, VISITS } from "./query.js";

const FIELD = "search_word";
const SHOWN = 7,
  CANDIDATES = 40,
  MOST_CHARACTERS = 1200,
  LEAST_COUNT = 3,
  LEAST_RATIO = 1.5;
const SEARCHES = `_exists_:${FIELD}`;

/**
 * Return `[{word, count, ratio, weight}]`, the most particular first: words of which at least three searches are from a
 * place, and whose share of the searches there is at least one and a half times that elsewhere.
 *
 * `words`: how often each was searched there; `totals`: everywhere; `here`, `all`: how many searches there are. `ratio`:
 * of the two shares, Infinity for a word that is searched nowhere else. The weight is what a word adds to the divergence
 * of the place from the others (Kullback and Leibler); a word that is not found elsewhere counts there as half a search.
 */
export function particular(words, totals, here, all) {
  const elsewhere = all - here;
  if (elsewhere <= 0) return [];
  return words
    .map(({ value, count }) => {
      const others = Math.max((totals.get(value) ?? count) - count, 0),
        ratio = count / here / (others / elsewhere),
        bounded = count / here / (Math.max(others, 0.5) / elsewhere);
      return { word: value, count, ratio, weight: count * Math.log(bounded) };
    })
    .filter(({ count, ratio, weight }) => count >= LEAST_COUNT && ratio >= LEAST_RATIO && weight > 0)
    .sort((a, b) => b.weight - a.weight || String(a.word).localeCompare(String(b.word)));
}

/**
 * Return `{element, load(question, signal)}`, a panel with the particular words of a place.
 *
 * `place`, `around`: conditions of the place, and of what it is compared with, itself included.
 */
export function createParticular({ title, place, around, onPick }) {
  const list = h("ol", { class: "top-list" });
  const element = h(
    "section",
    { class: "card top words", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title)),
    list,
  );

  async function load(question, signal) {
    element.setAttribute("aria-busy", "true");
    try {
      show(await read(question, signal));
    } catch (error) {
      if (!aborted(error) && error.status !== 400 && !isAway(error)) put(list, h("li", { class: "top-none muted" }, failureText(error)));
    }
    if (!signal.aborted) element.removeAttribute("aria-busy");
  }

  async function read({ q, since, until }, signal) {
    const count = async (more) => {
      const { buckets } = await ask("aggregate", { q: joined(q, [SEARCHES, ...more, VISITS]), since, until }, signal);
      return buckets[0]?.metrics.count ?? 0;
    };
    const top = async (more) => {
      const asked = { field: FIELD, n: CANDIDATES, q: joined(q, [...more, VISITS]), since, until };
      return (await ask("top", asked, signal)).values;
    };
    const [words, here, all] = await Promise.all([top(place), count(place), count(around)]);
    const chosen = affordable(words.filter((word) => word.count >= LEAST_COUNT));
    if (!chosen.length) return [];
    const either = chosen.map(({ value }) => condition({ field: FIELD, value })).join(" OR ");
    const totals = new Map((await top([...around, `(${either})`])).map(({ value, count: total }) => [value, total]));
    return particular(chosen, totals, here, all);
  }

  function show(found) {
    const most = found[0]?.weight ?? 0;
    put(
      list,
      found.length
        ? found.slice(0, SHOWN).map((word) => row(word, most))
        : h("li", { class: "top-none muted" }, t("map.particular.none")),
    );
  }

  function row({ word, count, ratio, weight }, most) {
    const bar = h("span", { class: "top-bar" });
    bar.style.width = `${(100 * weight) / most}%`;
    const text = Number.isFinite(ratio) ? t("map.particular.times", { x: rate(ratio) }) : t("map.particular.only");
    return h(
      "li",
      { class: "top-row" },
      h(
        "button",
        {
          class: "top-pick",
          type: "button",
          title: `${word} · ${number(count)} · ${text}`,
          on: { click: () => onPick(FIELD, word) },
        },
        bar,
        h("span", { class: "top-value" }, String(word)),
        h("span", { class: "top-count" }, text),
      ),
    );
  }

  return { element, load };
}

/** Return the first words that fit into the address of a request. */
function affordable(words) {
  let left = MOST_CHARACTERS;
  return words.filter(({ value }) => (left -= String(value).length + FIELD.length + 8) >= 0);
}
