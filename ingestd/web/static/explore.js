/** The page "Logs": histogram, panels, field list and events of one query. */

import { aborted, ask, isAway } from "./api.js";
import { sortedHits } from "./columns.js";
import { announce, h, put } from "./dom.js";
import { downloadButton } from "./download.js";
import { number } from "./format.js";
import { createFields, summarize } from "./fields.js";
import { createHistogram } from "./histogram.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { LEVEL_FIELDS, PATH_FIELDS } from "./known_fields.js";
import { failure, failureText } from "./notices.js";
import { addPanelButton, createPanel } from "./panels.js";
import { shortcutsButton } from "./shortcuts.js";
import { addFilter, current, toggleIn, update } from "./state.js";
import { createTable } from "./table.js";
import { createTail } from "./tail.js";
import { inputText, iso, rangeName, zoneSeconds } from "./time.js";
import { showRange } from "./timepicker.js";
import { clearAll, restricts } from "./toolbar.js";
import { createTop } from "./top.js";
import { VISITS } from "./query.js";

/** It stands for both fields of a level in the histogram and in filters with `path`. */
const [LEVEL] = LEVEL_FIELDS;
const PAGE = 100,
  LIVE_ROWS = 1000,
  CENTRE_PAGES = 10;

/**
 * Return `{element, load(question, signal), redraw(state), stop()}`.
 *
 * `onEmpty()`: the store has no events; `onFault(error)`: the query is invalid; `onRetry()`: load everything again.
 */
export function createExplore({ onEmpty, onFault, onRetry }) {
  const knownFields = () => summarize(hits.map((hit) => hit.event)).map(({ path }) => path);
  const compare = h(
    "button",
    {
      class: "ghost small",
      type: "button",
      "aria-pressed": "false",
      on: { click: () => update({ compare: !current().compare }) },
    },
    icon("trend", 14),
    t("chart.compare"),
  );
  const histogram = createHistogram({
    onRange: showRange,
    onPick: (level) => addFilter(LEVEL, level, { path: true }),
    tools: h("div", { class: "table-tools" }, compare, addPanelButton({ fields: knownFields })),
  });
  const words = createTop({ title: t("top.words"), fields: ["search_word"], kind: "words", more: [VISITS] });
  const paths = createTop({
    title: t("top.paths"),
    fields: PATH_FIELDS,
    kind: "paths",
    paths: true,
    more: [VISITS],
  });
  const codes = createTop({
    title: t("top.status"),
    fields: ["status_code", "http.response.status_code"],
    kind: "status",
    more: [VISITS],
  });
  const levels = createTop({ title: t("top.levels"), fields: [LEVEL], kind: "levels", paths: true });
  const panels = h("div", { class: "panels" });
  const table = createTable();
  const fields = createFields();
  const tail = createTail({ onHits: arrived });
  const notice = h("div", { class: "none-found" });
  const element = h(
    "div",
    { class: "explore" },
    histogram.element,
    panels,
    h("div", { class: "split" }, fields.element, h("div", { class: "split-main" }, table.element)),
  );
  const charts = new Map();
  let hits = [],
    cursor = null,
    listed = null, // the question whose events are shown
    seen = new Set(),
    hints = [],
    shown = null;
  table.extra(
    tail.element,
    h("div", { class: "table-tools" }, downloadButton({ question: () => listed }), shortcutsButton()),
  );

  // Those of an address that was cut are null.
  const own = () => [...charts.values()].filter(Boolean);

  function layout(state) {
    for (const text of charts.keys()) if (!state.charts.includes(text)) charts.delete(text);
    for (const text of state.charts) {
      if (!charts.has(text)) charts.set(text, createPanel(text, () => toggleIn("charts", text)));
    }
    const all = [words, paths, codes, levels, ...own()].map((panel) => panel.element);
    if (panels.children.length !== all.length || all.some((node, place) => panels.children[place] !== node))
      put(panels, all);
  }

  /** Load everything. */
  async function load(question, signal) {
    compare.setAttribute("aria-pressed", String(question.state.compare));
    layout(question.state);
    const tops = [words, paths, codes, ...own()].map((panel) => panel.load(question, signal));
    const over = loadHistogram(question, signal);
    // The live tail delivers the events; only the rest is queried again.
    const follows = question.state.live && tail.follows(question.q);
    if (follows) redraw(question.state);
    else {
      tail.stop();
      await loadEvents(question, signal);
    }
    // From where the search result ends, so that no event is missed.
    if (question.state.live && listed === question) tail.follow(question.q, question.until);
    await Promise.all([...tops, over]);
    const total = await over;
    if (total !== null) element.classList.toggle("empty", total === 0 && !question.state.live);
    if (!signal.aborted && total === 0) await nothing(question, signal);
  }

  /** Show the loaded events differently: other columns, with stack traces. */
  function redraw(state) {
    display(state);
    fields.show(hits.map((hit) => hit.event));
  }

  // The period before has the same bars: it ends where a bar starts, so that both can be laid over each other.
  async function compareHistogram({ seconds }, { q, sinceDate, untilDate }, signal) {
    const shiftMs = Math.max(1, Math.round((untilDate - sinceDate) / (seconds * 1000))) * seconds * 1000;
    const [since, until] = [sinceDate, untilDate].map((date) => iso(new Date(date.getTime() - shiftMs)));
    const params = { q, since, until, seconds, offset: zoneSeconds(sinceDate), field: LEVEL };
    try {
      histogram.compare(await ask("histogram", params, signal), shiftMs);
    } catch (error) {
      if (!aborted(error) && !isAway(error)) histogram.note(failureText(error));
    }
  }

  function display(state) {
    shown = state;
    table.show(sortedHits(hits, state), state);
  }

  // The event in the centre may be on a later page.
  async function showCentre(question, signal) {
    const row = () => element.querySelector("tr.row.centre");
    for (let page = 1; page < CENTRE_PAGES && !row() && cursor && !signal.aborted; page += 1) await older();
    if (listed === question) row()?.scrollIntoView({ block: "center" });
  }

  async function loadHistogram({ q, since, until, sinceDate, untilDate, state }, signal) {
    histogram.element.setAttribute("aria-busy", "true");
    try {
      const params = { q, since, until, offset: zoneSeconds(sinceDate), field: LEVEL };
      const answer = await ask("histogram", params, signal);
      histogram.show(answer, sinceDate, untilDate);
      showLevels(answer);
      if (state.compare) await compareHistogram(answer, { q, sinceDate, untilDate }, signal);
      announce(t("chart.events", { n: number(answer.total) }));
      return answer.total;
    } catch (error) {
      if (aborted(error)) return null;
      if (error.status === 400) onFault(error);
      else if (!isAway(error)) histogram.fail(failure(error, onRetry));
      return null;
    } finally {
      if (!signal.aborted) histogram.element.removeAttribute("aria-busy");
    }
  }

  // The histogram already has the levels: no request of their own.
  function showLevels(answer) {
    const sums = new Map();
    for (const { counts } of answer.buckets) {
      for (const [level, count] of Object.entries(counts)) if (level) sums.set(level, (sums.get(level) ?? 0) + count);
    }
    const values = [...sums].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count);
    levels.show({ field: LEVEL, values: values.slice(0, 7) });
  }

  async function loadEvents(question, signal) {
    const { q, since, until, state } = question;
    table.element.setAttribute("aria-busy", "true");
    try {
      const answer = await ask("search", { q, since, until, limit: PAGE }, signal);
      ({ hits, next: cursor, hints = [] } = answer);
      listed = question;
      seen = new Set(hits.map(key));
      display(state);
      table.took(answer.ms);
      fields.show(hits.map((hit) => hit.event));
      footer();
      if (state.around) await showCentre(question, signal);
    } catch (error) {
      if (aborted(error)) return;
      if (error.status === 400) onFault(error);
      else if (!isAway(error)) {
        hits = [];
        listed = null;
        table.show(hits, state);
        table.foot(h("p", { class: "muted" }, failureText(error)));
      }
    } finally {
      if (!signal.aborted) table.element.removeAttribute("aria-busy");
    }
  }

  function footer() {
    if (!hits.length) return table.foot();
    if (!cursor) return table.foot(h("p", { class: "muted" }, t("table.end")));
    const more = h("button", { class: "button", type: "button", on: { click: () => older(more) } }, t("table.more"));
    return table.foot(more);
  }

  async function older(button = null) {
    if (button) button.disabled = true;
    const question = listed;
    const { q, since, until } = question;
    try {
      const answer = await ask("search", { q, since, until, limit: PAGE, after: cursor });
      if (listed !== question) return; // the list is another one by now
      const first = hits.length;
      const fresh = answer.hits.filter((hit) => !seen.has(key(hit)));
      for (const hit of fresh) seen.add(key(hit));
      hits = [...hits, ...fresh];
      cursor = answer.next;
      if (shown.sort) display(shown);
      else table.append(fresh);
      fields.show(hits.map((hit) => hit.event));
      footer();
      if (button) element.querySelectorAll("tr.row .open")[first]?.focus({ preventScroll: true });
    } catch (error) {
      if (listed !== question) return;
      if (button) button.disabled = false;
      table.foot(failure(error, () => older(button)));
    }
  }

  function arrived(fresh) {
    const unseen = fresh.filter((hit) => !seen.has(key(hit)));
    if (!unseen.length || !shown) return;
    for (const hit of unseen) seen.add(key(hit));
    hits = [...unseen, ...hits].slice(0, LIVE_ROWS);
    if (seen.size > 20 * LIVE_ROWS) seen = new Set(hits.map(key));
    notice.remove();
    if (shown.sort) display(shown);
    else table.prepend(unseen, LIVE_ROWS);
    fields.show(hits.map((hit) => hit.event));
  }

  async function nothing({ state }, signal) {
    let indices = [];
    try {
      ({ indices } = await ask("indices", {}, signal));
    } catch {
      return; // the hint is optional
    }
    if (!indices.some((index) => index.events > 0)) return onEmpty();
    const day = indices
      .filter((index) => index.events > 0 && index.day)
      .map((index) => index.day)
      .sort()
      .at(-1);
    const action = (key, act) => h("button", { class: "button", type: "button", on: { click: act } }, t(key));
    const begin = day && new Date(`${day}T00:00:00Z`);
    put(
      notice,
      h("h3", {}, t("none.title")),
      h(
        "p",
        { class: "muted" },
        t("none.text", { range: rangeName(state) }),
        " ",
        day && !restricts(state) ? t("none.newest", { time: inputText(begin).slice(0, 10) }) : "",
      ),
      hints.map((hint) => h("p", { class: "none-hint" }, hint)),
      h(
        "div",
        { class: "actions" },
        restricts(state) ? action("none.clear", clearAll) : null,
        state.range !== "30d" || state.from
          ? action("none.wider", () => update({ range: "30d", from: "", to: "" }))
          : null,
        day && !restricts(state)
          ? action("none.jump", () => showRange(begin, new Date(begin.getTime() + 86400000)))
          : null,
      ),
    );
    table.foot(notice);
  }

  return { element, load, redraw, stop: tail.stop };
}

// Not every event has an id.
const key = (hit) => `${hit.index}/${hit.id || JSON.stringify(hit.event)}`;
