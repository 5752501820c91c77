/** The page of one problem: what it is, its trace, its latest events, and what came before the last of them. */

import { ask, order } from "./api.js";
import { h, put } from "./dom.js";
import { number, plain, readable, readableMessage } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { ADDRESS_FIELDS, HOST_FIELDS } from "./known_fields.js";
import { levelOf } from "./levels.js";
import { marker } from "./marks.js";
import { sparkline } from "./sparkline.js";
import { exceptionOf, stackBlock, stackOf } from "./stack.js";
import { DEFAULTS, current, format, update } from "./state.js";
import { inputText, preciseText } from "./time.js";
import { valueAt } from "./values.js";

const EVENTS = 10,
  BEFORE = 10;
/** What an event has in common with those before it: the visitor, or else the host. */
const SAME = [...ADDRESS_FIELDS, ...HOST_FIELDS];
const ACTIONS = { open: ["resolve", "mute"], resolved: ["reopen"], muted: ["reopen"] };

/** Return `{element, load(id, question, signal), leave()}`; `onChange()` is called when something was decided. */
export function createProblem({ onChange }) {
  const element = h("div", { class: "problem", hidden: true });
  let shown = "";

  async function load(id, { q, since, until }, signal) {
    if (id !== shown) put(element);
    shown = id;
    const condition = `problem:${JSON.stringify(id)}`;
    const [{ problems }, { hits }] = await Promise.all([
      ask("problems", { q, since, until, problem: id, n: 1 }, signal),
      ask("search", { q: condition, until, limit: EVENTS }, signal),
    ]);
    const before = hits.length ? await earlier(hits[0].event, signal) : null;
    const mark = marker(current());
    put(element, back(), about(id, problems[0], onChange, mark), trace(hits, mark), events(hits, condition, mark), came(before, mark));
  }

  return { element, load, leave: () => (shown = "") };
}

/** Return the marks of a problem: its levels, whether it is new or came back, and what was decided. */
export function badges(problem) {
  const mark = (name, kind = "") => h("span", { class: `mark ${kind}`, data: { mark: name } }, t(`problems.badge.${name}`));
  return h(
    "span",
    { class: "problem-badges" },
    problem.new ? mark("new", "mark-fix") : null,
    problem.regressed ? mark("regressed", "mark-fix") : null,
    problem.state === "open" ? null : mark(problem.state),
  );
}

/** Return the events of the same visitor or host before an event, and what they have in common. */
async function earlier(event, signal) {
  const field = SAME.find((name) => ["string", "number"].includes(typeof valueAt(event, name)));
  if (!field) return null;
  const value = valueAt(event, field);
  const q = `${field}:${JSON.stringify(String(value))}`;
  const { hits } = await ask("search", { q, until: event["@timestamp"], limit: BEFORE }, signal);
  return { field, value, hits };
}

function back() {
  const href = `#${format({ ...current(), problem: "" })}`;
  const leave = (event) => {
    event.preventDefault();
    update({ problem: "" });
  };
  return h("a", { class: "ghost small problem-back", href, on: { click: leave } }, t("problems.back"));
}

function about(id, problem, onChange, marked) {
  if (!problem) return h("p", { class: "notice" }, t("problems.unseen"));
  const { mark } = problem;
  const fact = (name, value) => (value ? [h("dt", {}, t(`problems.${name}`)), h("dd", {}, value)] : null);
  return h(
    "section",
    { class: "card", "aria-label": problem.title },
    h("div", { class: "card-head" }, h("h2", { class: "problem-heading" }, marked(problem.title, "problem_title")), badges(problem)),
    h(
      "div",
      { class: "card-text problem-about" },
      sparkline(problem.sparkline, t("problems.over", { n: number(problem.count) })),
      h(
        "dl",
        { class: "problem-facts" },
        fact("count", number(problem.count)),
        fact("first", inputText(new Date(problem.first_seen))),
        fact("last", inputText(new Date(problem.last_seen))),
        fact("people", problem.visitors ? number(problem.visitors) : ""),
        fact("levels", problem.levels.join(", ")),
        fact("paths", readable(problem.paths.join(", "))),
        fact("hosts", problem.hosts.join(", ")),
        fact("id", h("span", { class: "mono" }, id)),
        fact("note", mark ? t("problems.marked", { ...mark, state: t(`problems.badge.${mark.state}`), at: inputText(new Date(mark.at)) }) : ""),
      ),
      decide(id, problem.state, onChange),
    ),
  );
}

/** Return the buttons that resolve, mute or reopen a problem, with a note. */
function decide(id, state, onChange) {
  const note = h("input", { class: "input", maxlength: "500", autocomplete: "off" });
  const wrong = h("p", { class: "notice notice-error", role: "alert", hidden: true });
  const buttons = ACTIONS[state].map((action) =>
    h("button", { type: "button", class: "button", data: { action }, on: { click: () => send(action) } }, t(`problems.${action}`)),
  );
  async function send(action) {
    for (const button of buttons) button.disabled = true;
    try {
      await order(`problems/${encodeURIComponent(id)}/${action}`, { note: note.value.trim() });
      onChange();
    } catch (error) {
      wrong.hidden = false;
      put(wrong, error.message || t("error.other"));
      for (const button of buttons) button.disabled = false;
    }
  }
  return h("div", { class: "problem-decide" }, h("label", {}, h("span", { class: "small muted" }, t("problems.write")), note), buttons, wrong);
}

function trace(hits, mark) {
  const stack = hits.map(({ event }) => stackOf(event)).find(Boolean);
  if (!stack) return null;
  return h("section", { class: "card", "aria-label": t("record.stack") }, h("div", { class: "card-head" }, h("h2", {}, t("record.stack"))), h("div", { class: "card-text" }, stackBlock(stack, mark)));
}

/** Return the state that shows a query in the logs, in the same period. */
function inLogs(q) {
  const { range, from, to, zone } = current();
  return { ...DEFAULTS, range, from, to, zone, q };
}

function events(hits, condition, mark) {
  const all = inLogs(condition);
  return h(
    "section",
    { class: "card", "aria-label": t("problems.latest") },
    h("div", { class: "card-head" }, h("h2", {}, t("problems.latest")), logs(all, t("problems.all"))),
    lines(hits, mark),
  );
}

function came(before, mark) {
  if (!before) return null;
  const q = `${before.field}:${JSON.stringify(String(before.value))}`;
  const title = t("problems.before", { value: plain(before.value) });
  return h(
    "section",
    { class: "card", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), logs(inLogs(q), t("problems.logs"))),
    lines(before.hits, mark),
  );
}

function logs(state, text) {
  const open = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    update(state);
  };
  return h("a", { class: "ghost small", href: `#${format(state)}`, on: { click: open } }, icon("list", 14), text);
}

const firstLine = (event) => readableMessage(plain(event.message), event).trim().split("\n")[0].slice(0, 300);

function lines(hits, mark) {
  if (!hits.length) return h("p", { class: "card-text muted" }, t("problems.nothing"));
  return h(
    "ol",
    { class: "problem-events" },
    hits.map(({ event }) => {
      const time = new Date(event["@timestamp"]);
      const stack = stackOf(event);
      return h(
        "li",
        {},
        h("time", { class: "mono muted", datetime: event["@timestamp"] }, `${inputText(time).split(" ")[0]} ${preciseText(time)}`),
        h("span", { class: "mono problem-message" }, mark(levelOf(event).toUpperCase(), "level"), " ", mark(firstLine(event), "message"), stack ? h("span", { class: "has-stack" }, mark(exceptionOf(stack).slice(0, 160))) : null),
      );
    }),
  );
}
