/** The page: connects header, toolbar and the selected view, and queries again whenever the state changes. */

import { createAlerts } from "./alerts.js";
import { ask, serverNow } from "./api.js";
import { createDoctor } from "./doctor.js";
import { announce, h, put } from "./dom.js";
import { createExplore } from "./explore.js";
import { createHeader } from "./header.js";
import { createIncomplete } from "./incomplete.js";
import { t } from "./i18n.js";
import { createLoading } from "./loading.js";
import { createVisitors } from "./map.js";
import { createProblems } from "./problems.js";
import { compose } from "./query.js";
import { createSetup } from "./setup.js";
import { installShortcuts } from "./shortcuts.js";
import { DEFAULTS, current, subscribe, update } from "./state.js";
import { createStatus } from "./status.js";
import { iso, resolve } from "./time.js";
import { createToolbar } from "./toolbar.js";
import { createWords } from "./words.js";
import { followZone, lacksSiteZone, learnSiteZone, useChosenZone } from "./zone.js";

const HEALTH_S = 15,
  LIVE_S = 5;
/** Tabs that the query box and the time range are not about. */
const WITHOUT_QUERY = ["alerts", "status"];
/** State that changes how results are shown, not what is queried. */
const LOOKS = ["cols", "sort", "traces", "widths"];

const root = document.getElementById("app");
const header = createHeader();
const toolbar = createToolbar({ refresh: () => refresh() });
const main = h("main", { class: "page", id: "main", tabindex: "-1" });
const progress = h("div", { class: "progress", hidden: true });
const loading = createLoading({ main, cancel: () => running?.abort(), retry: () => refresh() });
const views = {};
let question = null,
  running = null,
  timer = 0,
  shownTab = null;

const VIEWS = {
  logs: () => createExplore({ onEmpty: setup, onFault: fault, onRetry: refresh }),
  words: () => createWords({ onFault: fault, onRetry: refresh }),
  problems: () => createProblems({ onFault: fault, onRetry: refresh }),
  visitors: () => createVisitors({ onFault: fault, onRetry: refresh }),
  alerts: () => createAlerts({ onLoaded: () => loading.fresh("alerts") }),
  status: () => createStatus({ onLoaded: () => loading.fresh("status") }),
};

/** The query is invalid: show the error, and mark the results as those of an earlier query. */
async function fault(error) {
  if (main.classList.contains("stale")) return; // another request with the same query was faster
  main.classList.add("stale");
  const asked = question;
  const { state, q, shift } = asked;
  const alone = state.q !== q ? await faultOf(state.q, running.signal) : null;
  if (question === asked) toolbar.fault(alone ?? error, alone ? 0 : shift);
}

// Our own conditions would close an open quote: the user's text must be validated alone.
async function faultOf(q, signal) {
  try {
    await ask("search", { q, limit: 1 }, signal);
    return null;
  } catch (error) {
    return error.status === 400 ? error : null;
  }
}

/** Load the shown view again; running requests are aborted. */
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
  loading.start(placeOf(state), own.signal);
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
      if (own.signal.aborted) for (const part of main.querySelectorAll("[aria-busy]")) part.removeAttribute("aria-busy");
      main.setAttribute("aria-busy", "false");
      loading.end();
      schedule();
    }
  }
}

/** Return what is shown: a tab, or the page of one word or problem in it. */
const placeOf = ({ tab, word, problem }) => [tab, { words: word, problems: problem }[tab]].filter(Boolean).join("/");

function questionOf(state) {
  const { since, until, relative } = resolve(state, serverNow());
  const { text, shift } = compose(state);
  return { state, q: text, shift, since: iso(since), until: iso(until), sinceDate: since, untilDate: until, relative };
}

/** Schedule the next auto refresh; not while the page is hidden, and not for results that can no longer change. */
function schedule() {
  clearTimeout(timer);
  const state = current();
  const seconds = state.live ? LIVE_S : question.relative ? state.every : 0;
  if (seconds && !WITHOUT_QUERY.includes(state.tab))
    timer = setTimeout(() => (document.hidden ? schedule() : refresh()), seconds * 1000);
}

/** Ask whether the store is empty before the queries are answered: the setup is then there at once. */
async function setupIfEmpty() {
  try {
    const { indices } = await ask("indices");
    if (!indices.some((index) => index.events > 0) && shownTab === "logs") setup();
  } catch {
    // The queries report what is wrong.
  }
}

/** The store is empty: show the setup, and wait for the first event. */
function setup() {
  if (shownTab === "setup") return;
  running?.abort();
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
  put(main, h("h1", { class: "sr-only" }, t("nav.logs")), waiting.element);
}

function show(state) {
  followZone(state);
  header.show(state);
  toolbar.show(state);
  toolbar.element.hidden = WITHOUT_QUERY.includes(state.tab);
}

async function watchHealth() {
  if (!document.hidden) {
    try {
      const { health, site_zone: zone } = await ask("status");
      if (learnSiteZone(zone)) {
        show(current());
        refresh();
      }
      header.healthy(health?.ready === false ? "unhealthy" : "healthy");
      if (loading.isAway() && progress.hidden) refresh();
    } catch {
      header.healthy("away");
    }
  }
  setTimeout(watchHealth, HEALTH_S * 1000);
}

// The login page returns to the same state.
addEventListener(
  "signed-out",
  () => {
    running?.abort();
    location.assign(`login?${new URLSearchParams({ next: location.hash })}`);
  },
  { once: true },
);

installShortcuts({
  search() {
    if (!toolbar.element.hidden) toolbar.focus();
    return !toolbar.element.hidden;
  },
});

root.replaceChildren(progress, header.element, createDoctor().element, createIncomplete().element, toolbar.element, loading.element, main);
subscribe((state, before) => {
  show(state);
  const changed = Object.keys(state).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(before[name]));
  if (!changed.length) return;
  if (changed.every((name) => name === "every")) schedule();
  else if (changed.every((name) => LOOKS.includes(name)) && shownTab === "logs") views.logs.redraw(state);
  else refresh();
});
useChosenZone();
show(current());
refresh();
setupIfEmpty();
setTimeout(watchHealth, lacksSiteZone(current()) ? 0 : 1500);
