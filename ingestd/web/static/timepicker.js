/** The time range picker: relative ranges in one click, others typed; and buttons for earlier, later and wider. */

import { serverNow } from "./api.js";
import { h, popup } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { current, update } from "./state.js";
import { DAYS, RANGES, inputText, iso, parseRange, rangeName, resolve } from "./time.js";
import { zoneSuffix, zoneSwitch } from "./zone.js";

/** Set an absolute range in the state. */
export const showRange = (since, until) => update({ from: iso(since), to: iso(until), range: "", live: false });

/** Return `{element, show(state)}`. */
export function createTimepicker() {
  const name = h("span", { class: "range-name" });
  const button = h("button", { class: "button range", type: "button" }, icon("clock"), name, icon("down", 14));
  const step = (key, glyph, act) =>
    h(
      "button",
      { class: "button square", type: "button", "aria-label": t(key), title: t(key), on: { click: act } },
      glyph,
    );
  const element = h(
    "div",
    { class: "group timepicker" },
    step("time.earlier", h("span", { "aria-hidden": "true" }, "‹"), () => shift(-1)),
    popup({ button, label: t("time.choose"), content, align: "right" }),
    step("time.later", h("span", { "aria-hidden": "true" }, "›"), () => shift(1)),
    step("time.wider", h("span", { "aria-hidden": "true" }, "⤢"), wider),
  );

  return {
    element,
    show(state) {
      name.textContent = rangeName(state) + zoneSuffix(state);
      button.setAttribute("aria-label", `${t("time.choose")}: ${name.textContent}`);
    },
  };
}

function shift(direction) {
  const { since, until } = resolve(current(), serverNow());
  const length = (until - since) * direction;
  showRange(new Date(since.getTime() + length), new Date(until.getTime() + length));
}

function wider() {
  const { since, until } = resolve(current(), serverNow());
  const half = (until - since) / 2;
  const end = Math.max(until.getTime(), Math.min(until.getTime() + half, serverNow().getTime()));
  showRange(new Date(since.getTime() - half), new Date(end));
}

function content(close) {
  const state = current();
  const { since, until } = resolve(state, serverNow());
  const choose = (range) => {
    close();
    update({ range, from: "", to: "" });
  };
  const relative = [...Object.keys(RANGES), ...DAYS].map((range) =>
    h(
      "button",
      {
        class: "choice",
        type: "button",
        "aria-pressed": String(!state.from && state.range === range),
        on: { click: () => choose(range) },
      },
      t(`range.${range}`),
    ),
  );
  const from = h("input", {
    class: "input",
    name: "from",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "range-help range-error",
  });
  const to = h("input", {
    class: "input",
    name: "to",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "range-help range-error",
  });
  from.value = inputText(since);
  to.value = inputText(until);
  const error = h("p", { class: "form-error", id: "range-error", role: "alert" });
  const form = h(
    "form",
    { class: "range-form" },
    h("p", { class: "popup-title" }, t("time.absolute")),
    h("label", {}, h("span", {}, t("time.from")), from),
    h("label", {}, h("span", {}, t("time.to")), to),
    error,
    h("button", { class: "button primary", type: "submit" }, t("time.apply")),
    h("p", { class: "help", id: "range-help" }, t("time.help")),
    zoneSwitch(close),
  );
  for (const input of [from, to]) input.addEventListener("focus", () => input.select());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const range = parseRange(from.value, to.value, serverNow());
    error.textContent = range.error ? t(`time.error.${range.error}`) : "";
    if (range.error) return (range.error === "from" ? from : to).focus();
    close();
    showRange(range.since, range.until);
  });
  return h("div", { class: "range-panel" }, h("div", { class: "choices" }, relative), form);
}
