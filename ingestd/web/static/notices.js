/** What is shown instead of data: failures, and that nothing was found. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

const TEXTS = { 0: "error.away", 403: "error.403", 504: "error.504" };

/** Return what to say of an ApiError. */
export function failureText(error) {
  if (!("status" in error)) throw error; // a mistake in this page
  return TEXTS[error.status] ? t(TEXTS[error.status]) : error.message || t("error.other");
}

/** Return a node that tells of an ApiError, with a button that calls `retry`. */
export function failure(error, retry) {
  return h(
    "div",
    { class: "notice notice-error", role: "alert" },
    icon("alert"),
    h("span", {}, failureText(error)),
    retry ? h("button", { class: "button small", type: "button", on: { click: retry } }, t("error.retry")) : null,
  );
}
