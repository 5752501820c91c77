/** The card "Actions" on the page "Status": what was done by hand, by whom and from where. */

import { card, table } from "./cards.js";
import { h } from "./dom.js";
import { has, t } from "./i18n.js";
import { inputText } from "./time.js";

/** Return the card for actions as `api/action_log` returns them, newest first; null if there is none. */
export function actionLog(actions) {
  if (!actions.length) return null;
  const title = t("actions.title");
  return card(
    title,
    null,
    table(
      title,
      [
        [t("actions.time"), "", (row) => inputText(new Date(row.time))],
        [t("actions.who"), "", who],
        [t("actions.action"), "", (row) => (has(`actions.${row.action}`) ? t(`actions.${row.action}`) : row.action)],
        [t("actions.target"), "mono actions-wide", (row) => row.target ?? ""],
        [t("actions.outcome"), "actions-wide", outcome],
      ],
      actions,
    ),
  );
}

function who(row) {
  const name = row.user ? t("actions.by.cli", { user: row.user }) : t(`actions.by.${row.by ?? "page"}`);
  return [name, row.address && h("div", { class: "muted small mono" }, row.address)];
}

function outcome(row) {
  const kind = { done: "good", failed: "bad" }[row.outcome ?? "done"] ?? "";
  return [
    h("span", { class: `verdict ${kind}` }, t(`actions.outcome.${row.outcome ?? "done"}`)),
    row.text && h("div", { class: "muted small" }, row.text),
  ];
}
