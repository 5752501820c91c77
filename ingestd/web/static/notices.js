/** Notices shown instead of data: errors and empty results. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

const TEXTS = { 0: "error.away", 403: "error.403", 504: "error.504" };

/** Return the text for an ApiError. */
export function failureText(error) {
  if (!("status" in error)) throw error; // a bug in this page
  return TEXTS[error.status] ? t(TEXTS[error.status]) : error.message || t("error.other");
}

/** Return a node with the text for an ApiError, and a button that calls `retry`. */
export function failure(error, retry) {
  return h(
    "div",
    { class: "notice notice-error", role: "alert" },
    icon("alert"),
    h("span", {}, failureText(error)),
    retry ? h("button", { class: "button small", type: "button", on: { click: retry } }, t("error.retry")) : null,
  );
}
