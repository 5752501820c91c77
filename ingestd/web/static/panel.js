/** What all panels with an answer of the store have: a title, a close button, busy while loading, and their error. */

import { aborted, isAway } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText } from "./notices.js";

/** Return the button that removes a panel. */
export const closeButton = (title, onClose) =>
  h(
    "button",
    {
      class: "ghost square small",
      type: "button",
      "aria-label": `${t("top.close")}: ${title}`,
      on: { click: onClose },
    },
    icon("close", 14),
  );

/**
 * Return `{element, load(question, signal)}`.
 *
 * `read(question, signal)` returns the nodes to show, as a promise. Answers may arrive in another order.
 */
export function createPanelCard({ title, kind, onClose, read }) {
  const body = h("div", { class: "panel-body" });
  const element = h(
    "section",
    { class: `card panel ${kind}`, "aria-label": title },
    h("div", { class: "card-head" }, h("h2", { title }, title), closeButton(title, onClose)),
    body,
  );
  let loads = 0;
  return {
    element,
    async load(question, signal) {
      const turn = ++loads;
      element.setAttribute("aria-busy", "true");
      try {
        const nodes = await read(question, signal);
        if (turn === loads) put(body, nodes);
      } catch (error) {
        // An invalid query is reported below the query box; a field may be wrong here alone.
        if (turn === loads && !aborted(error) && !isAway(error))
          put(body, h("p", { class: "top-none muted" }, failureText(error)));
      }
      if (turn === loads) element.removeAttribute("aria-busy");
    },
  };
}
