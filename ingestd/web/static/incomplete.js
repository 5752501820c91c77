/** The banner over answers that lack events, because files of the built-in store are damaged. */

import { h, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

/** Return `{element}`, which shows what the latest answer to each kind of query lacks. */
export function createIncomplete() {
  const element = h("aside", { class: "banner incomplete", role: "alert", "aria-label": t("incomplete.title"), hidden: true });
  const missing = new Map();
  addEventListener("answer", ({ detail }) => {
    missing.set(detail.path, detail.missing);
    const texts = [...new Set([...missing.values()].flat())];
    const signature = texts.join("\n");
    element.hidden = !texts.length;
    if (element.dataset.signature === signature) return;
    element.dataset.signature = signature;
    const head = h("div", { class: "banner-head" }, icon("alert"), h("h2", {}, t("incomplete.title")));
    put(element, head, h("ul", {}, texts.map((text) => h("li", {}, text))));
  });
  return { element };
}
