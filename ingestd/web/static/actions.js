/** Actions on indices: the dialogs that confirm them, and messages about their progress. */

import { confirmed } from "./confirm.js";
import { h } from "./dom.js";
import { bytes, number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { inputText } from "./time.js";

export const isRunning = (action) => action?.state === "running";

/** Return the progress or result of an action, as a sentence. */
export function actionText(action) {
  const { kind, state } = action;
  const name = action.index || action.day || "";
  if (state === "failed") return t(`action.${kind}.failed`, { name, error: action.message || t("error.other") });
  const sentence = t(`action.${kind}.${state}`, { name });
  // For a restore the server's message lists the indices that it created.
  return kind === "restore" && state === "done" ? `${sentence} ${action.message}` : sentence;
}

/** Return when a backup was verified, as text; empty: it was not. */
export const verifiedText = (backup) => (backup?.verified ? inputText(new Date(backup.verified)) : "");

const p = (key, values) => h("p", {}, t(key, values));

const measures = (row) => ({ name: row.index, events: number(row.events), size: bytes(row.bytes) });

const warning = (key, values) =>
  h("p", { class: "notice notice-error" }, icon("alert"), h("span", {}, t(key, values)));

const where = (repository) => repository && p("action.repository", { repository });

/** Confirm the backup of an index; `repository`: its target, if known. */
export function askBackup(row, repository) {
  return confirmed({
    title: t("action.backup.title", { name: row.index }),
    text: [
      p("action.backup.text", measures(row)),
      where(repository),
      row.backup && p("action.backup.again", { name: row.backup.snapshot }),
    ],
    yes: t("action.backup"),
  });
}

/** Return whether an index has events that its backup does not have: those that came after it. */
export const isOutdated = ({ backup, events }) => Number.isInteger(backup?.events) && backup.events < events;

export const isSafe = (row) => Boolean(row.backup?.verified) && !isOutdated(row);

function lossOf(row) {
  if (isOutdated(row)) return "action.delete.outdated";
  return row.backup ? "action.delete.unverified" : "action.delete.lost";
}

/** Confirm the deletion of an index: does it have a verified backup? */
export function askDelete(row) {
  const { backup } = row;
  const safe = isSafe(row);
  const values = {
    name: backup?.snapshot,
    repository: backup?.repository,
    time: verifiedText(backup),
    saved: number(backup?.events ?? 0),
    events: number(row.events),
  };
  return confirmed({
    title: t("action.delete.title", { name: row.index }),
    text: [
      p("action.delete.text", measures(row)),
      safe
        ? p("action.delete.safe", values)
        : warning(lossOf(row), values),
    ],
    yes: t(safe ? "action.delete" : "action.delete.anyway"),
    danger: true,
  });
}

/** Confirm the restore of a day; `rows` are the existing indices. */
export function askRestore({ day, rename }, rows, repository) {
  const conflict = rows
    .filter((row) => row.day === day && row.index.startsWith(rename))
    .map((row) => row.index);
  return confirmed({
    title: t("action.restore.title", { name: day }),
    text: [
      p("action.restore.text", { name: day }),
      where(repository),
      p(rename ? "action.restore.renamed" : "action.restore.same", { rename }),
      p("action.restore.kept"),
      conflict.length > 0 && warning("action.restore.there", { name: conflict.join(", ") }),
    ],
    yes: t("action.restore"),
  });
}
