/** Everything that makes up the query: query box, time, refresh, live, minimum level, quick views, filters. */

import { alertOnThis } from "./alerts.js";
import { HERE, h, named, popup, put } from "./dom.js";
import { cut, duration, plain, readable } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { createSearchbar } from "./searchbar.js";
import { DEFAULTS, current, update } from "./state.js";
import { createTimepicker } from "./timepicker.js";
import { createViews } from "./views.js";

const EVERY = [0, 5, 10, 30, 60, 300];
const LEAST = ["", "INFO", "WARNING", "ERROR"];

/** Return `{element, show(state), fault(error, shift)}`; `refresh()` loads everything again. */
export function createToolbar({ refresh }) {
  const search = createSearchbar({ again: refresh });
  const time = createTimepicker();
  const everyText = h("span", { class: "every" });
  const every = h(
    "button",
    { class: "button square", type: "button", "aria-label": t("refresh.auto"), title: t("refresh.auto") },
    everyText,
    icon("down", 14),
  );
  const live = h(
    "button",
    { class: "button live", type: "button", "aria-pressed": "false", on: { click: () => toggleLive() } },
    h("span", { class: "live-dot" }),
    h("span", {}, t("live.start")),
  );
  const levels = LEAST.map((level) =>
    h(
      "button",
      { type: "button", class: "segment", data: { level }, on: { click: () => update({ level }) } },
      level ? t("level.up", { level }) : t("level.all"),
    ),
  );
  const alert = h(
    "button",
    { type: "button", class: "quick", on: { click: alertOnThis } },
    icon("bell", 14),
    t("quick.alert"),
  );
  const views = createViews(alert);
  const chips = h("div", { class: "chips", role: "group", "aria-label": t("filters.label"), hidden: true });
  const element = h(
    "section",
    { class: "toolbar", "aria-label": t("search.label") },
    h(
      "div",
      { class: "toolbar-main" },
      search.element,
      time.element,
      h(
        "div",
        { class: "group" },
        h(
          "button",
          {
            class: "button square",
            type: "button",
            "aria-label": t("refresh.now"),
            title: t("refresh.now"),
            on: { click: refresh },
          },
          icon("refresh"),
        ),
        popup({ button: every, label: t("refresh.auto"), content: everyContent, align: "right" }),
      ),
      live,
    ),
    h(
      "div",
      { class: "toolbar-sub" },
      h("div", { class: "segments", role: "group", "aria-label": t("level.label") }, levels),
      views.element,
      views.menu,
    ),
    chips,
  );

  return {
    element,
    fault: search.fault,
    focus: search.focus,
    show(state) {
      search.show(state);
      views.show();
      time.show(state);
      everyText.textContent = state.every ? duration(state.every) : "";
      every.classList.toggle("on", state.every > 0);
      live.setAttribute("aria-pressed", String(state.live));
      live.hidden = state.tab !== "logs";
      for (const segment of levels) segment.setAttribute("aria-pressed", String(segment.dataset.level === state.level));
      chips.hidden = state.filters.length === 0;
      put(
        chips,
        state.filters.map(chip),
        h(
          "button",
          { type: "button", class: "ghost small", on: { click: () => update({ filters: [] }) } },
          t("filters.clear"),
        ),
      );
    },
  };
}

function everyContent(close) {
  return h(
    "div",
    { class: "choices" },
    h("p", { class: "popup-title" }, t("refresh.auto")),
    EVERY.map((seconds) =>
      h(
        "button",
        {
          class: "choice",
          type: "button",
          "aria-pressed": String(current().every === seconds),
          on: {
            click: () => {
              close();
              update({ every: seconds });
            },
          },
        },
        seconds ? t("refresh.every", { text: duration(seconds) }) : t("refresh.off"),
      ),
    ),
  );
}

function toggleLive() {
  const state = current();
  // The live tail shows the present: an absolute range would contradict it.
  update(
    state.live
      ? { live: false }
      : { live: true, ...(state.from || state.range === "yesterday" ? { from: "", to: "", range: "15m" } : {}) },
  );
}

function chip(filter) {
  const value = cut(readable(plain(filter.value)));
  const text = `${filter.field}: ${value}`;
  const others = () => current().filters.filter((other) => other !== filter);
  const flip = () =>
    update({ filters: current().filters.map((other) => (other === filter ? { ...filter, not: !filter.not } : other)) });
  return h(
    "span",
    { class: filter.not ? "chip chip-not" : "chip" },
    h(
      "button",
      {
        type: "button",
        class: "chip-text",
        title: t("filters.flip", { text: `${filter.field}: ${cut(plain(filter.value))}` }),
        on: { click: flip },
      },
      named(
        t("filters.flip", { text: HERE }),
        filter.not ? h("b", {}, t("filters.not"), " ") : null,
        h("span", { class: "chip-field" }, `${filter.field}:`),
        " ",
        value,
      ),
    ),
    h(
      "button",
      {
        type: "button",
        class: "chip-remove",
        "aria-label": t("filters.remove", { text }),
        on: { click: () => update({ filters: others() }) },
      },
      icon("close", 12),
    ),
  );
}

/** Return whether a state restricts anything but the time. */
export const restricts = (state) => Boolean(state.q || state.filters.length || state.level);

/** Remove all restrictions except the time. */
export const clearAll = () => update({ q: "", filters: [], level: DEFAULTS.level });
