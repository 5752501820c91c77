/** The page: puts header, question and the chosen view together, and asks anew whenever the question changes. */

import { ask, serverNow } from "./api.js";
import { announce, h, put } from "./dom.js";
import { createExplore } from "./explore.js";
import { createHeader } from "./header.js";
import { t } from "./i18n.js";
import { createVisitors } from "./map.js";
import { compose } from "./query.js";
import { createSetup } from "./setup.js";
import { DEFAULTS, current, subscribe, update } from "./state.js";
import { createStatus } from "./status.js";
import { iso, resolve } from "./time.js";
import { createToolbar } from "./toolbar.js";

const HEALTH_S = 15,
  LIVE_S = 5;
/** What changes how answers look and not what is asked. */
const LOOKS = ["cols", "traces"];

const root = document.getElementById("app");
const header = createHeader();
const toolbar = createToolbar({ refresh: () => refresh() });
const main = h("main", { class: "page", id: "main", tabindex: "-1" });
const progress = h("div", { class: "progress", hidden: true });
const views = {};
let question = null,
  running = null,
  timer = 0,
  shownTab = null;

const VIEWS = {
  logs: () => createExplore({ onEmpty: setup, onFault: fault, onRetry: refresh }),
  visitors: () => createVisitors({ onFault: fault, onRetry: refresh }),
  status: () => createStatus(),
};

/** The query is wrong: say so, and show that the answers are those of an earlier one. */
async function fault(error) {
  if (main.classList.contains("stale")) return; // another question with the same query was faster
  main.classList.add("stale");
  const asked = question;
  const { state, q, shift } = asked;
  const alone = state.q !== q ? await faultOf(state.q, running.signal) : null;
  if (question === asked) toolbar.fault(alone ?? error, alone ? 0 : shift);
}

// Behind an open quote come our own conditions and close it: what the user wrote has to be asked for alone.
async function faultOf(q, signal) {
  try {
    await ask("search", { q, limit: 1 }, signal);
    return null;
  } catch (error) {
    return error.status === 400 ? error : null;
  }
}

/** Ask everything of the shown view again; what is still being asked is given up. */
async function refresh() {
  running?.abort();
  clearTimeout(timer);
  const own = new AbortController();
  running = own;
  const state = current();
  question = questionOf(state);
  toolbar.fault(null);
  main.classList.remove("stale");
  progress.hidden = false;
  main.setAttribute("aria-busy", "true");
  try {
    const view = (views[state.tab] ??= VIEWS[state.tab]());
    if (shownTab !== state.tab) {
      if (shownTab) views[shownTab]?.stop?.();
      shownTab = state.tab;
      put(main, h("h1", { class: "sr-only" }, t(`nav.${state.tab}`)), view.element);
    }
    await view.load(question, own.signal);
  } finally {
    if (running === own) {
      progress.hidden = true;
      main.setAttribute("aria-busy", "false");
      schedule();
    }
  }
}

function questionOf(state) {
  const { since, until, relative } = resolve(state, serverNow());
  const { text, shift } = compose(state);
  return { state, q: text, shift, since: iso(since), until: iso(until), sinceDate: since, untilDate: until, relative };
}

/** Refresh again after a while, if asked to; not while nobody looks, and not what can no longer change. */
function schedule() {
  clearTimeout(timer);
  const state = current();
  const seconds = state.live ? LIVE_S : question.relative ? state.every : 0;
  if (seconds && state.tab !== "status")
    timer = setTimeout(() => (document.hidden ? schedule() : refresh()), seconds * 1000);
}

/** The store is empty: say how to fill it, and wait for the first event. */
function setup() {
  const waiting = createSetup({
    onFirst() {
      shownTab = null;
      update({ ...DEFAULTS, range: "15m" }, { replace: true });
      refresh();
      announce(t("chart.title"));
    },
  });
  views.logs.stop();
  shownTab = "setup";
  views.setup = waiting;
  toolbar.element.hidden = true;
  put(main, waiting.element);
}

function show(state) {
  header.show(state);
  toolbar.show(state);
  toolbar.element.hidden = state.tab === "status";
}

async function watchHealth() {
  if (!document.hidden) {
    try {
      const { health } = await ask("status");
      header.healthy(health?.ready === false ? "unhealthy" : "healthy");
    } catch {
      header.healthy("away");
    }
  }
  setTimeout(watchHealth, HEALTH_S * 1000);
}

// The password is asked for on a page of its own, which leads back to the same place.
addEventListener(
  "signed-out",
  () => {
    running?.abort();
    location.assign(`login?${new URLSearchParams({ next: location.hash })}`);
  },
  { once: true },
);

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !toolbar.element.hidden) {
    event.preventDefault();
    toolbar.focus();
  }
});

root.replaceChildren(progress, header.element, toolbar.element, main);
subscribe((state, before) => {
  show(state);
  const changed = Object.keys(state).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(before[name]));
  if (!changed.length) return;
  if (changed.every((name) => name === "every")) schedule();
  else if (changed.every((name) => LOOKS.includes(name)) && shownTab === "logs") views.logs.redraw(state);
  else refresh();
});
show(current());
refresh();
setTimeout(watchHealth, 1500);
