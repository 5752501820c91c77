/** Confirmation dialogs, which say what will happen. */

import { h } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Show a dialog, and return whether the user confirmed; Escape cancels.
 *
 * The button of an action that cannot be undone (`danger`) never has the initial focus: Enter alone does not confirm.
 *
 * @param {{title: string, text: Node[], yes: string, danger?: boolean}} question
 */
export function confirmed({ title, text, yes, danger = false }) {
  const button = (label, kind, value, first) =>
    h("button", { class: `button ${kind}`, type: "submit", value, autofocus: first }, label);
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("div", { id: "dialog-text", class: "dialog-text" }, text),
      h(
        "div",
        { class: "dialog-buttons" },
        button(t("action.cancel"), "", "no", danger),
        button(yes, danger ? "danger" : "primary", "yes", !danger),
      ),
    ),
  );
  const before = document.activeElement;
  document.body.append(dialog);
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (document.activeElement === document.body) before?.focus({ preventScroll: true }); // the browser has not
      answer(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
