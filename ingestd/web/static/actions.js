/** What can be done with indices: the questions asked before, and sentences on how it goes. */

import { confirmed } from "./confirm.js";
import { h } from "./dom.js";
import { bytes, number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { inputText } from "./time.js";

export const isRunning = (action) => action?.state === "running";

/** Return how an action goes or went, as a sentence. */
export function actionText(action) {
  const { kind, state } = action;
  const name = action.index || action.day || "";
  if (state === "failed") return t(`action.${kind}.failed`, { name, error: action.message || t("error.other") });
  const sentence = t(`action.${kind}.${state}`, { name });
  // Of a restore the server says which indices that made, under which names.
  return kind === "restore" && state === "done" ? `${sentence} ${action.message}` : sentence;
}

/** Return when a backup was read again and found whole, for people; empty: it was not. */
export const verifiedText = (backup) => (backup?.verified ? inputText(new Date(backup.verified)) : "");

const p = (key, values) => h("p", {}, t(key, values));

const measures = (row) => ({ name: row.index, events: number(row.events), size: bytes(row.bytes) });

const warning = (key, values) =>
  h("p", { class: "notice notice-error" }, icon("alert"), h("span", {}, t(key, values)));

const where = (repository) => repository && p("action.repository", { repository });

/** Ask whether to back up an index; `repository`: where to, if that is known. */
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

export const isSafe = (row) => Boolean(row.backup?.verified);

/** Ask whether to delete an index: is there a backup that can be relied on? */
export function askDelete(row) {
  const { backup } = row;
  const safe = isSafe(row);
  const values = { name: backup?.snapshot, repository: backup?.repository, time: verifiedText(backup) };
  return confirmed({
    title: t("action.delete.title", { name: row.index }),
    text: [
      p("action.delete.text", measures(row)),
      safe
        ? p("action.delete.safe", values)
        : warning(backup ? "action.delete.unverified" : "action.delete.lost", values),
    ],
    yes: t(safe ? "action.delete" : "action.delete.anyway"),
    danger: true,
  });
}

/** Ask whether to restore a day; `rows` are the indices that are there. */
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
