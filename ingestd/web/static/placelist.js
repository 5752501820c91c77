/** A card with a list of places, each with how many visitors or requests it has; a click selects one. */

import { h, put } from "./dom.js";
import { compact, number, share } from "./format.js";
import { t } from "./i18n.js";

/** Return the sum of a measure, `visitors` or `requests`. */
export const sumOf = (places, measure) => places.reduce((sum, place) => sum + place[measure], 0);

/** Return what is to be said of a place: `South Korea: 12 visitors, 340 requests, 61%`. */
export function placeText(name, place, places, measure) {
  const counts = [t("map.n.visitors", { n: number(place.visitors) }), t("map.n.requests", { n: number(place.requests) })];
  // Without addresses, there are no visitors to count.
  if (!sumOf(places, "visitors")) counts.shift();
  return `${name}: ${[...counts, share(place[measure], sumOf(places, measure))].join(", ")}`;
}

/** Return `{element, show({places, measure, chosen, nameOf, none})}`; `onPick(value)`: it was selected, "": no longer. */
export function createPlaces({ title, onPick, onClose = null }) {
  const list = h("ol", { class: "top-list countries" });
  const element = h(
    "section",
    { class: "card top", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), onClose),
    list,
  );

  function show({ places, measure, chosen = "", nameOf, none }) {
    const sorted = [...places].sort((a, b) => b[measure] - a[measure] || b.requests - a.requests);
    const row = (place) => {
      const bar = h("span", { class: "top-bar" }),
        name = nameOf(place.value),
        pressed = chosen === place.value;
      bar.style.width = `${(100 * place[measure]) / (sorted[0][measure] || 1)}%`;
      const props = {
        type: "button",
        class: "top-pick",
        title: placeText(name, place, places, measure),
        "aria-pressed": String(pressed),
        data: { key: `place ${place.value}` },
        on: { click: () => onPick(pressed ? "" : place.value) },
      };
      const part = h("span", { class: "muted share" }, share(place[measure], sumOf(places, measure)));
      const count = h("span", { class: "top-count" }, compact(place[measure]), part);
      return h("li", { class: "top-row" }, h("button", props, bar, h("span", { class: "top-value" }, name), count));
    };
    put(list, sorted.length ? sorted.map(row) : h("li", { class: "top-none muted" }, none ?? t("map.none")));
  }

  return { element, show };
}
