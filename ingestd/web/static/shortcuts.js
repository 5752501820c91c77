/** Keyboard shortcuts: j and k move between events, / goes to the query box, ? lists them all. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

const KEY = "ingestd.shortcuts";
const SHOWN = [
  ["/", "keys.search"],
  ["j", "keys.next"],
  ["k", "keys.previous"],
  ["Enter", "keys.open"],
  ["Esc", "keys.close"],
  ["?", "keys.help"],
];

/** Keys of one letter can be turned off: they disturb users of speech input (WCAG 2.1.4). */
function enabled() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function enable(on) {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Without storage the keys stay on.
  }
}

/** Handle the shortcuts; `search()` moves the focus to the query box if it is shown and returns whether it is. */
export function installShortcuts({ search }) {
  const actions = { "/": search, "?": showHelp, j: () => move(1), k: () => move(-1) };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return leave(event);
    if (event.target.closest?.("input, textarea, select, [contenteditable]") || !enabled()) return;
    if (actions[keyOf(event)]?.()) event.preventDefault();
  });
}

// With a Korean keyboard the key J gives ㅓ, and while an IME is on, "Process".
function keyOf(event) {
  if (/^[\x21-\x7e]$/.test(event.key)) return event.key;
  return { KeyJ: "j", KeyK: "k", Slash: event.shiftKey ? "?" : "/" }[event.code];
}

const buttons = () => [...document.querySelectorAll("tr.row .open")];
const rowOf = (node) => {
  let row = node.closest?.("tr");
  while (row && !row.classList.contains("row")) row = row.previousElementSibling;
  return row;
};

/** Move the focus to the event `step` rows further; Enter then unfolds it. */
function move(step) {
  const all = buttons();
  if (!all.length) return false;
  const at = all.indexOf(rowOf(document.activeElement)?.querySelector(".open"));
  const next = all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + step))];
  next.focus({ preventScroll: true, focusVisible: true });
  next.closest("tr").scrollIntoView({ block: "nearest" });
  return true;
}

/** Escape folds the event that has the focus, and leaves an input. */
function leave(event) {
  const row = rowOf(event.target);
  const open = row?.querySelector('.open[aria-expanded="true"]');
  if (open) {
    open.click();
    open.focus({ preventScroll: true });
  } else if (event.target.matches?.("input:not(.popup *), textarea")) event.target.blur();
}

/** Return the button that shows the dialog. */
export const shortcutsButton = () =>
  h(
    "button",
    {
      class: "ghost square small shortcuts",
      type: "button",
      "aria-label": t("keys.title"),
      title: `${t("keys.title")} (?)`,
      on: { click: showHelp },
    },
    icon("keyboard"),
  );

function showHelp() {
  const on = h("input", {
    type: "checkbox",
    class: "switch",
    role: "switch",
    on: { change: () => enable(on.checked) },
  });
  on.checked = enabled();
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "keys-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "keys-title" }, t("keys.title")),
      h(
        "dl",
        { class: "keys" },
        SHOWN.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(text)))),
      ),
      h("label", { class: "keys-on" }, on, h("span", {}, t("keys.on"))),
      h(
        "div",
        { class: "dialog-buttons" },
        h("button", { class: "button primary", type: "submit", autofocus: true }, t("keys.done")),
      ),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return true;
}
