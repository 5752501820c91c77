/** Live tail: new events as they arrive, newest on top; it can be paused without losing any. */

import { address } from "./api.js";
import { announce, h, put } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { update } from "./state.js";

/** How many events are kept while the tail is paused: the newest. */
const HELD = 2000;
const AGAIN_MS = 5000;

/**
 * Return `{element, follow(q, since), follows(q), stop()}`.
 *
 * `onHits(hits)` gets them newest first.
 */
export function createTail({ onHits }) {
  const text = h("span", { class: "tail-text" });
  const pause = h("button", { class: "button small", type: "button", on: { click: () => hold(!paused) } });
  const stopButton = h(
    "button",
    { class: "ghost small", type: "button", on: { click: () => update({ live: false }) } },
    t("live.stop"),
  );
  const element = h(
    "div",
    { class: "tail", hidden: true },
    h("span", { class: "live-dot on" }),
    h("b", {}, t("live.on")),
    text,
    pause,
    stopButton,
  );
  let source = null,
    asked = null,
    paused = false,
    held = [],
    timer = 0;

  function show(lost = false) {
    put(pause, icon(paused ? "play" : "pause", 14), t(paused ? "live.resume" : "live.pause"));
    text.textContent = lost
      ? t("live.lost")
      : held.length
        ? t("live.held", { n: number(held.length) })
        : paused
          ? ""
          : t("live.waiting");
    element.classList.toggle("lost", lost);
  }
  function hold(still) {
    paused = still;
    if (!paused && held.length) {
      onHits(held);
      held = [];
    }
    show();
  }
  function listen(q, since) {
    source = new EventSource(address("tail", { q, since }));
    source.addEventListener("open", () => show());
    source.addEventListener("problem", () => show(true));
    source.addEventListener("error", (event) => {
      show(true);
      // The browser reconnects automatically, but not after an error response.
      if (event.target.readyState === EventSource.CLOSED) timer = setTimeout(listen, AGAIN_MS, q, since);
    });
    source.addEventListener("hits", (event) => {
      const hits = JSON.parse(event.data).reverse();
      if (paused) held = [...hits, ...held].slice(0, HELD);
      else onHits(hits);
      show();
    });
  }
  function stop() {
    clearTimeout(timer);
    source?.close();
    source = asked = null;
    element.hidden = true;
  }

  return {
    element,
    stop,
    /** Follow the events of a query from `since` on; continues if the query is the same, otherwise starts over. */
    follow(q, since) {
      if (asked === q) return;
      stop();
      asked = q;
      held = [];
      paused = false;
      element.hidden = false;
      listen(q, since);
      announce(t("live.on"));
      show();
    },
    follows: (q) => asked === q,
  };
}
