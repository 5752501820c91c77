/** The line over a view: it loads for long and can be cancelled, or its figures are old, as the server is away. */

import { isAway, serverNow } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText } from "./notices.js";
import { inputText } from "./time.js";

const SLOW_MS = 1000;

/**
 * Return `{element, start(tab, signal), end(), fresh(tab)}`, for the views in `main`.
 *
 * `start`: a view loads, a tab or "tab/page", with requests of this signal; `end`: it has loaded, as far as it could; `fresh`: a view has
 * loaded on its own. `cancel()`: abort the requests; `retry()`: load the view again.
 */
export function createLoading({ main, cancel, retry }) {
  const element = h("div", { class: "loading" });
  const loaded = new Map(); // when each view was loaded last
  let tab = "",
    running = null,
    error = null,
    cancelled = false,
    timer = 0;

  function start(next, signal) {
    clearTimeout(timer);
    if (tab !== next) {
      clear();
      if (next.includes("/")) loaded.delete(next); // a page of its own starts empty
    }
    [tab, running, error, cancelled] = [next, signal, null, false];
    main.classList.toggle("first", !loaded.has(tab));
    timer = setTimeout(slow, SLOW_MS);
  }

  function slow() {
    const stop = () => {
      cancelled = true;
      cancel();
    };
    show("slow", "status", h("span", { class: "spinner" }), t("loading.slow"), button(t("loading.cancel"), stop));
  }

  function end() {
    clearTimeout(timer);
    if (error) away(error);
    else if (cancelled) old("cancelled", "status", t("loading.cancelled"));
    else if (main.classList.contains("stale")) clear(); // the query is invalid
    else fresh(tab);
  }

  function fresh(name) {
    loaded.set(name, serverNow());
    if (name === tab) clear();
  }

  function clear() {
    put(element);
    delete element.dataset.state;
    main.classList.remove("old", "first");
  }

  function away(reason) {
    error = reason;
    const text = failureText(reason);
    old(text, "alert", icon("alert"), text);
  }

  function old(name, role, ...content) {
    const time = loaded.get(tab);
    const dated = time && t("loading.asof", { time: clock(time) });
    main.classList.add("old");
    show(`${name} ${dated}`, role, ...content, dated && h("span", {}, dated), button(t("error.retry"), retry));
  }

  // A message that stays is not announced again.
  function show(name, role, ...content) {
    if (element.dataset.state === name) return;
    element.dataset.state = name;
    put(element, h("div", { class: `notice${role === "alert" ? " notice-error" : ""}`, role }, content));
  }

  addEventListener("away", ({ detail }) => {
    if (detail.signal === running || detail.error.status === 0) away(detail.error);
  });
  return { element, start, end, fresh, isAway: () => isAway(error) };
}

const button = (text, press) => h("button", { class: "button small", type: "button", on: { click: press } }, text);

/** Return a time without its day, unless that is over. */
function clock(time) {
  const [day, hour] = inputText(time).split(" ");
  return inputText(serverNow()).startsWith(day) ? hour.slice(0, 5) : `${day} ${hour.slice(0, 5)}`;
}
