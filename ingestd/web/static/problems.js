/** The page "Problems": errors of the same cause, a line each; and a page for each of them. */

import { aborted, ask, isAway } from "./api.js";
import { h, put } from "./dom.js";
import { number, readable } from "./format.js";
import { t } from "./i18n.js";
import { HOST_FIELDS, LEVEL_FIELDS, PATH_FIELDS } from "./known_fields.js";
import { marker } from "./marks.js";
import { failure } from "./notices.js";
import { badges, createProblem } from "./problem.js";
import { sparkline } from "./sparkline.js";
import { current, format, update } from "./state.js";
import { inputText } from "./time.js";

const STATES = ["open", "resolved", "muted"];
/** Problems of the period that are listed, the most frequent. */
const MOST = 200;

/**
 * Return `{element, load(question, signal), stop()}`; `onFault(error)`: the query is invalid; `onRetry()`: load everything
 * again.
 */
export function createProblems({ onFault, onRetry }) {
  const notice = h("div", { hidden: true });
  const list = h("ol", { class: "problem-list" });
  const note = h("p", { class: "card-text muted small", hidden: true }, t("problems.most", { n: number(MOST) }));
  const states = STATES.map((state) =>
    h("button", { type: "button", class: "segment", data: { state }, on: { click: () => update({ mark: state }) } }, t(`problems.${state}`)),
  );
  const card = h(
    "section",
    { class: "card problems", "aria-label": t("problems.title") },
    h(
      "div",
      { class: "card-head" },
      h("h2", {}, t("problems.title")),
      h("div", { class: "segments", role: "group", "aria-label": t("problems.states") }, states),
    ),
    note,
    list,
  );
  const single = createProblem({ onChange: onRetry });
  const element = h("div", { class: "problems-page" }, notice, card, single.element);

  async function load(question, signal) {
    const id = current().problem;
    card.hidden = Boolean(id);
    single.element.hidden = !id;
    element.setAttribute("aria-busy", "true");
    try {
      if (!id) single.leave();
      if (id) await single.load(id, question, signal);
      else await loadList(question, signal);
      notice.hidden = true;
    } catch (error) {
      if (aborted(error)) return;
      if (error.status === 400) onFault(error);
      else if (!isAway(error)) {
        put(notice, failure(error, onRetry));
        notice.hidden = false;
      }
    } finally {
      if (!signal.aborted) element.removeAttribute("aria-busy");
    }
  }

  async function loadList({ q, since, until }, signal) {
    const { problems } = await ask("problems", { q, since, until, n: MOST }, signal);
    const chosen = current().mark;
    for (const button of states) {
      const { state } = button.dataset;
      const n = problems.filter((problem) => problem.state === state).length;
      put(button, t(`problems.${state}`, { n: number(n) }));
      button.setAttribute("aria-pressed", String(state === chosen));
    }
    note.hidden = problems.length < MOST;
    const shown = problems.filter((problem) => problem.state === chosen);
    const mark = marker(current());
    put(list, shown.length ? shown.map((problem) => line(problem, mark)) : h("li", { class: "card-text muted" }, t(`problems.none.${chosen}`)));
  }

  return { element, load, stop: single.leave };
}

function line(problem, mark) {
  const href = `#${format({ ...current(), problem: problem.problem })}`;
  const open = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    update({ problem: problem.problem });
  };
  const count = number(problem.count);
  return h(
    "li",
    { class: "problem-line", data: { problem: problem.problem } },
    h(
      "div",
      { class: "problem-name" },
      h("a", { class: "problem-title", href, on: { click: open } }, mark(problem.title, "problem_title")),
      badges(problem),
      h("div", { class: "muted small problem-where" }, where(problem, mark)),
    ),
    sparkline(problem.sparkline, t("problems.over", { n: count })),
    h(
      "div",
      { class: "problem-count" },
      h("b", {}, count),
      problem.visitors
        ? h("span", { class: "muted small" }, t("problems.visitors", { n: number(problem.visitors) }))
        : null,
    ),
  );
}

function where({ first_seen: first, last_seen: last, levels, paths, hosts }, mark) {
  const seen = t("problems.seen", { first: inputText(new Date(first)), last: inputText(new Date(last)) });
  const found = [[levels, LEVEL_FIELDS], [paths, PATH_FIELDS], [hosts, HOST_FIELDS]];
  return [seen, found.map(([values, [field]]) => (values.length ? [" · ", mark(readable(values.join(", ")), field)] : null))];
}
