/** Notices shown instead of data: errors and empty results. */

import { h } from "./dom.js";
import { has, t } from "./i18n.js";
import { icon } from "./icons.js";

const TEXTS = { 0: "error.away", 403: "error.403", 504: "error.504" };

/** Return the text for an ApiError. */
export function failureText(error) {
  if (!("status" in error)) throw error; // a bug in this page
  if (has(`query.${error.kind}`)) return t(`query.${error.kind}`, error.values);
  return TEXTS[error.status] ? t(TEXTS[error.status]) : error.message || t("error.other");
}

/** Return what to do about an invalid query; empty: that is not known. */
export function hintText({ kind, values, hint }) {
  return has(`query.${kind}.hint`) ? t(`query.${kind}.hint`, values) : (hint ?? "");
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
