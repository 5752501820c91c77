/** Questions before something is done: a dialog that says what will happen. */

import { h } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Ask, and return whether the answer was yes; Escape is a no.
 *
 * What cannot be undone (`danger`) is never where the focus is: Enter alone does not do it.
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
  document.body.append(dialog);
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
