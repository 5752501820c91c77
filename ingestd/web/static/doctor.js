/** The banner: what `ingestd doctor` finds wrong. Hidden until something else is found once it is dismissed. */

import { ask } from "./api.js";
import { copy, h, put } from "./dom.js";
import { language, t } from "./i18n.js";
import { icon } from "./icons.js";

const EVERY_MS = 300_000,
  FIRST_MS = 2500;
const KEY = "ingestd.doctor";
/** The setup page says what to do then. */
const EMPTY = "records.none";

/** Return `{element}`, which asks now and then. */
export function createDoctor() {
  const element = h("aside", { class: "banner doctor", "aria-label": t("doctor.title"), hidden: true });

  function show(findings) {
    const found = findings.filter(({ status, code }) => status !== "ok" && status !== "note" && code !== EMPTY);
    // Numbers in the texts change all the time: what was dismissed is known by the codes.
    const signature = found.map(({ code }) => code).join(" ");
    element.hidden = !found.length || signature === dismissed();
    if (element.hidden || element.dataset.signature === signature) return;
    element.dataset.signature = signature;
    const close = h(
      "button",
      { class: "ghost square", type: "button", "aria-label": t("doctor.dismiss"), title: t("doctor.dismiss") },
      icon("close"),
    );
    close.addEventListener("click", () => {
      dismiss(signature);
      element.hidden = true;
      document.getElementById("main")?.focus({ preventScroll: true });
    });
    const head = h("div", { class: "banner-head" }, icon("alert"), h("h2", {}, t("doctor.title")), close);
    put(element, head, h("ul", {}, found.map(line)));
  }
  async function look() {
    if (!document.hidden) {
      try {
        show((await ask("doctor", { lang: language })).findings);
      } catch {
        // The page itself reports that ingestd is away.
      }
    }
    setTimeout(look, EVERY_MS);
  }
  setTimeout(look, FIRST_MS);
  return { element };
}

function line({ status, text, fix }) {
  const mark = h("span", { class: `mark mark-${status}` }, t(`doctor.${status}`));
  if (!fix) return h("li", {}, mark, " ", text);
  const button = h(
    "button",
    { class: "button small copy", type: "button" },
    icon("copy", 14),
    h("span", { data: { label: "" } }, t("setup.copy")),
  );
  button.addEventListener("click", () => copy(fix, button, t("setup.copied")));
  const code = h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": t("doctor.how") }, fix);
  return h(
    "li",
    {},
    h(
      "details",
      {},
      h("summary", {}, mark, " ", text),
      h("div", { class: "step-code" }, code, button),
    ),
  );
}

function dismissed() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function dismiss(signature) {
  try {
    localStorage.setItem(KEY, signature);
  } catch {
    // Then it is hidden until the page is closed or the next look.
  }
}
