/** The top of the page: name, tabs, health, language, theme. */

import { ask, signOut } from "./api.js";
import { h } from "./dom.js";
import { language, setLanguage, t } from "./i18n.js";
import { icon } from "./icons.js";
import { format, update } from "./state.js";

const TABS = { logs: "list", words: "trend", problems: "alert", visitors: "globe", alerts: "bell", status: "pulse" };

/** Return `{element, show(state), healthy(word)}`. */
export function createHeader() {
  const tabs = Object.entries(TABS).map(([tab, name]) =>
    h(
      "a",
      { class: "tab", data: { tab }, on: { click: (event) => open(event, tab) } },
      icon(name),
      h("span", {}, t(`nav.${tab}`)),
    ),
  );
  const health = h("span", { class: "health", role: "img", hidden: true });
  const out = h(
    "button",
    { class: "ghost", type: "button", hidden: true },
    icon("out"),
    h("span", {}, t("header.signout")),
  );
  const theme = h(
    "button",
    {
      class: "ghost square",
      type: "button",
      "aria-label": t("header.theme"),
      title: t("header.theme"),
      on: { click: switchTheme },
    },
    icon("moon"),
  );
  const other = language === "ko" ? "en" : "ko";
  const element = h(
    "header",
    { class: "header" },
    h("a", { class: "skip", href: "#main", on: { click: skip } }, t("header.skip")),
    h("span", { class: "brand" }, h("span", { class: "logo" }), "ingestd", health),
    h("nav", { class: "tabs", "aria-label": t("nav.main") }, tabs),
    h(
      "div",
      { class: "header-end" },
      h(
        "button",
        { class: "ghost", type: "button", lang: other, on: { click: () => setLanguage(other) } },
        t("header.language"),
      ),
      theme,
      out,
    ),
  );

  function showTheme() {
    theme.replaceChildren(icon(isDark() ? "sun" : "moon"));
  }
  function switchTheme() {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("ingestd.theme", next);
    } catch {
      // Without storage the theme lasts until the page is closed.
    }
    showTheme();
  }
  showTheme();

  ask("session").then(
    (session) => {
      out.hidden = !(session.password_required && session.user);
      out.addEventListener("click", () => signOut(session.csrf));
    },
    () => {},
  );

  return {
    element,
    show(state) {
      for (const tab of tabs) {
        const same = { ...state, tab: tab.dataset.tab, live: false, problem: "", word: "" };
        tab.href = `#${format(same)}`;
        if (tab.dataset.tab === state.tab) tab.setAttribute("aria-current", "page");
        else tab.removeAttribute("aria-current");
      }
      document.title = `${t(`nav.${state.tab}`)} · ingestd`;
    },
    /** `word`: "healthy", "unhealthy" or "away". */
    healthy(word) {
      health.hidden = false;
      health.className = `health health-${word}`;
      health.setAttribute("aria-label", t(`header.${word}`));
      health.title = t(`header.${word}`);
    },
  };
}

function open(event, tab) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  update({ tab, live: false, problem: "", word: "" });
}

// The hash holds the page's state, so the link must not change it.
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
