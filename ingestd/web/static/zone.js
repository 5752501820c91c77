/** The zone that times are shown and typed in: the browser's, UTC, or that of the site, which the settings name. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { ZONES, current, update } from "./state.js";
import { useZone, zoneName } from "./time.js";

const SITE_KEY = "ingestd.site_zone",
  CHOICE_KEY = "ingestd.zone";
let site = stored(SITE_KEY);

function stored(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function store(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // Without storage it lasts until the page is closed.
  }
}

/** Show times in the zone of a state from now on. */
export function followZone(state) {
  useZone({ utc: "UTC", site }[state.zone] || null);
}

/** Remember the site's zone, as api/status has it; returns whether shown times change with it. */
export function learnSiteZone(name) {
  if (!name || name === site || !isKnown(name)) return false;
  site = name;
  store(SITE_KEY, name);
  return current().zone === "site";
}

/** Whether the site's zone is still to be learnt before times can be shown. */
export const lacksSiteZone = (state) => state.zone === "site" && !site;

function isKnown(name) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

/** Let the zone that was chosen last count where the address names none. */
export function useChosenZone() {
  const chosen = stored(CHOICE_KEY);
  if (!current().zone && chosen && ZONES.includes(chosen)) update({ zone: chosen }, { replace: true });
}

/** Return what a range is followed by: " · UTC", nothing for the browser's zone. */
export const zoneSuffix = (state) => (state.zone ? ` · ${zoneName()}` : "");

/** Return the buttons to choose a zone. */
export function zoneSwitch(close) {
  const choose = (zone) => {
    close();
    store(CHOICE_KEY, zone);
    update({ zone });
  };
  const choices = ZONES.filter((zone) => zone !== "site" || site).map((zone) =>
    h(
      "button",
      {
        type: "button",
        class: "segment",
        data: { zone },
        title: zone === "site" ? site : null,
        "aria-pressed": String(current().zone === zone),
        on: { click: () => choose(zone) },
      },
      t(`zone.${zone || "browser"}`),
    ),
  );
  return h(
    "div",
    { class: "zones" },
    h("p", { class: "help" }, t("time.zone", { zone: zoneName() })),
    h("div", { class: "segments", role: "group", "aria-label": t("zone.label") }, choices),
  );
}
