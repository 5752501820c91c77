/** The card "Indices" on the page "Status": indices, their backups, and actions on them. */

import { actionText, askBackup, askDelete, askRestore, isOutdated, isRunning, isSafe, verifiedText } from "./actions.js";
import { ask, order } from "./api.js";
import { card, sum, table } from "./cards.js";
import { h, put } from "./dom.js";
import { bytes, compact, number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText } from "./notices.js";
import { daysText, inputText } from "./time.js";

const WATCH_MS = 1000;

let asked = 0; // requests are numbered: answers may arrive in another order

/**
 * Return `{element, show(found), hide(), stop()}`.
 *
 * `found` is what `askIndices` returns. While an action runs, the card polls for it.
 */
export function createIndices() {
  const note = h("span", { class: "muted" });
  const state = createState();
  const reason = h("p", { class: "muted action-reason", id: "action-reason" });
  const list = h("div", {});
  const form = restoreForm((wanted) => restore(wanted));
  const tools = h("div", { class: "action-bar" }, form.element, reason);
  const element = card(t("status.indices"), note, tools, state.element, list);
  element.hidden = true;
  let shown = { indices: [], action: null },
    sending = false,
    asking = false,
    refused = null,
    newest = 0,
    timer = 0;

  function show(found) {
    if (found.asked < newest) return; // the page polls too, and its answer may be the older one
    newest = found.asked;
    shown = found;
    element.hidden = false;
    const { indices, action } = found;
    const originals = indices.filter((row) => !row.restored_from); // a copy has the same events once more
    const events = t("chart.events", { n: compact(sum(originals, "events")) });
    note.textContent = [t("status.total", { n: indices.length }), events, bytes(sum(indices, "bytes"))].join(" · ");
    if (action && !sending && action.started !== refused) state.show(action);
    refine();
    clearTimeout(timer);
    if (isRunning(action)) timer = setTimeout(watch, WATCH_MS);
  }

  /** Show the table, and enable the actions that are possible now. */
  function refine() {
    if (asking) return; // nothing moves below an open dialog
    const why = barred();
    const unsaved = why || (shown.repository === null ? t("action.norepository") : "");
    reason.textContent = unsaved;
    form.bar(Boolean(unsaved));
    const held = list.contains(document.activeElement);
    put(list, indexTable(shown.indices, { backup, remove, why, unsaved }));
    if (held && !list.contains(document.activeElement)) state.element.focus({ preventScroll: true });
  }

  const barred = () => (sending || isRunning(shown.action) ? t("action.busy") : "");

  async function watch() {
    try {
      show(await askIndices());
    } catch (error) {
      failureText(error); // the page itself reports that ingestd is not reachable
      timer = setTimeout(watch, WATCH_MS);
    }
  }

  /** Ask for confirmation, then start the action and follow its progress. */
  async function perform(question, action, path, body) {
    if (barred()) return;
    asking = true;
    const yes = await question();
    asking = false;
    refine();
    if (!yes) return;
    sending = true;
    state.show({ ...action, state: "running" });
    refine();
    try {
      await order(path, body);
      newest = asked + 1; // what was asked before does not know of this action
      sending = false;
      refused = null;
      show(await askIndices());
    } catch (error) {
      sending = false;
      refused = shown.action?.started ?? null; // earlier actions are not reported again
      state.show({ ...action, state: "failed", message: error.message || failureText(error) });
      refine();
    }
  }

  const about = (index, what) => `indices/${encodeURIComponent(index)}/${what}`;
  const backup = (row) =>
    perform(() => askBackup(row, shown.repository), { kind: "backup", index: row.index }, about(row.index, "backup"));
  // Forced only if the user confirmed it: if the backup turns out not to be good, the index stays.
  const remove = (row) =>
    perform(() => askDelete(row), { kind: "delete", index: row.index }, about(row.index, "delete"), {
      force: !isSafe(row),
    });
  const restore = (wanted) =>
    perform(
      () => askRestore(wanted, shown.indices, shown.repository),
      { kind: "restore", day: wanted.day },
      "restore",
      wanted,
    );

  function hide() {
    element.hidden = true;
    clearTimeout(timer);
  }
  return { element, show, hide, stop: () => clearTimeout(timer) };
}

/** Load the running action and the indices, in this order, so that the indices are not the older of the two. */
export async function askIndices(signal) {
  const turn = ++asked;
  const actions = await ask("actions", {}, signal);
  return { ...actions, ...(await ask("indices", {}, signal)), asked: turn };
}

/** Return `{element, show(action)}`: the line with the progress or result of an action. */
function createState() {
  const mark = h("span", { class: "action-mark" });
  const text = h("span", { role: "status", "aria-live": "polite" });
  const more = h("span", { class: "action-more muted small" });
  const element = h("div", { class: "action-state", tabindex: "-1", hidden: true }, mark, text, more);
  const marks = {
    running: () => h("span", { class: "live-dot on" }),
    done: () => icon("check"),
    failed: () => icon("alert"),
  };

  function show(action) {
    const sentence = actionText(action);
    element.hidden = false;
    element.className = `action-state action-${action.state}`;
    put(more, isRunning(action) ? meter(action, sentence) : action.ended && inputText(new Date(action.ended)));
    // Screen readers would repeat a text that is written again.
    if (text.textContent === sentence) return;
    put(mark, marks[action.state]());
    text.textContent = sentence;
  }
  return { element, show };
}

const meter = ({ done, total }, label) =>
  total > 0 && h("progress", { class: "meter", max: total, value: Math.min(done, total), "aria-label": label });

/** Return `{element, bar(yes)}`: the form for the day to restore. `submit` gets `{day, rename}`. */
function restoreForm(submit) {
  const day = h("input", { class: "input small", type: "date", name: "day", required: true });
  const rename = h("input", {
    class: "input small mono",
    name: "rename",
    placeholder: "restored-",
    autocomplete: "off",
    spellcheck: "false",
    pattern: "[a-z0-9][a-z0-9._\\-]*",
    title: t("action.rename.help"),
  });
  const button = h("button", { class: "button small", type: "submit" }, t("action.restore"));
  const element = h(
    "form",
    { class: "restore", "aria-label": t("action.restore.label") },
    h("label", {}, t("action.day"), day),
    h("label", {}, t("action.rename"), rename),
    button,
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") !== "true") submit({ day: day.value, rename: rename.value });
  });
  return { element, bar: (yes) => bar(button, yes) };
}

// A `disabled` button would lose the focus; with aria-disabled it keeps it, and can say why.
function bar(button, yes) {
  button.setAttribute("aria-disabled", yes);
  if (yes) button.setAttribute("aria-describedby", "action-reason");
  else button.removeAttribute("aria-describedby");
}

function rowButton(row, what, why, act) {
  const button = h(
    "button",
    {
      class: "button small",
      type: "button",
      data: { key: `${what} ${row.index}` },
      "aria-label": t(`action.${what}.label`, { name: row.index }),
      title: why || null,
      on: { click: () => why || act(row) },
    },
    t(`action.${what}`),
  );
  bar(button, Boolean(why));
  return button;
}

function indexTable(indices, { backup, remove, why, unsaved }) {
  if (!indices.length) return h("p", { class: "muted card-text" }, t("status.noindices"));
  const rows = [...indices].sort((a, b) => (b.day ?? "").localeCompare(a.day ?? "") || b.index.localeCompare(a.index));
  const most = Math.max(1, ...rows.map((row) => row.bytes));
  const size = (row) => {
    const strip = h("span", { class: "size-bar" });
    strip.style.width = `${(64 * row.bytes) / most}px`;
    return [strip, bytes(row.bytes)];
  };
  const buttons = (row) =>
    h(
      "span",
      { class: "row-buttons" },
      rowButton(row, "backup", unsaved, backup),
      rowButton(row, "delete", why, remove),
    );
  return table(
    t("status.indices"),
    [
      [t("status.index"), "mono", (row) => [h("span", {}, row.index), leftOut(row)]],
      [t("status.day"), "", (row) => row.day ?? "–"],
      [t("status.age"), "", (row) => (row.day ? agoDay(row.day) : "–")],
      [t("status.events"), "num", (row) => number(row.events)],
      [t("status.size"), "num", size],
      [t("status.backup"), "", backupCell],
      [t("status.delete"), "", deletion],
      [t("status.actions"), "", buttons],
    ],
    rows,
  );
}

// The days of indices are in UTC.
const agoDay = (day) =>
  daysText(Math.round((Date.parse(day) - Date.parse(new Date().toISOString().slice(0, 10))) / 86400000));

const leftOut = ({ index, restored_from: name }) =>
  name && h("div", { class: "left-out muted small" }, t("status.leftout", { name, index }));

const deletion = ({ delete_at: at }) =>
  at ? [agoDay(at.slice(0, 10)), h("span", { class: "muted small" }, ` ${at.slice(0, 10)}`)] : t("status.never");

function backupCell(row) {
  const { backup } = row;
  if (!backup) return h("span", { class: "muted" }, t("backup.none"));
  const { repository, snapshot } = backup;
  const verified = verifiedText(backup);
  const good = verified && !isOutdated(row);
  const values = { saved: number(backup.events ?? 0), events: number(row.events) };
  const verdict = isOutdated(row) ? "outdated" : verified ? "verified" : "unverified";
  return h(
    "div",
    { title: `${repository} · ${snapshot}${verified && ` · ${verified}`}` },
    h(
      "span",
      { class: good ? "verdict good" : "verdict" },
      icon(good ? "check" : "alert", 14),
      t(`backup.${verdict}`, values),
    ),
    h("div", { class: "muted small mono" }, snapshot),
  );
}
