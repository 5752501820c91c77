/** The page's language, English or Korean: `#lang=ko`, else the stored choice, else the browser's. */

import { en } from "./english.js";
import { ko } from "./korean.js";

const messages = { en, ko };
const KEY = "ingestd.lang";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function choose() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("lang") ?? stored();
  if (asked in messages) return asked;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in messages) ?? "en";
}

export const language = choose();
document.documentElement.lang = language;

/** Return a message; `{name}` is replaced with `values.name`. A message may depend on a count: `{one, other}`. */
export function t(key, values = {}) {
  let text = messages[language][key] ?? messages.en[key];
  if (text === undefined) throw new Error(`no message ${key}`);
  if (typeof text === "object") text = values.n === 1 || values.n === "1" ? text.one : text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Return whether there is a message. */
export const has = (key) => key in messages.en;

/** Change the language: the page is reloaded, its URL keeps the state. */
export function setLanguage(code) {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // Without storage the choice lasts as long as the URL.
  }
  const hash = new URLSearchParams(location.hash.slice(1));
  if (hash.has("lang")) hash.set("lang", code);
  history.replaceState(null, "", `#${hash}`);
  location.reload();
}
