/** The page "Visitors": a map and lists of where they are, and the search words of each place. */

import { aborted, ask, isAway } from "./api.js";
import { h, put } from "./dom.js";
import { country, number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failure } from "./notices.js";
import { createPlaces, placeText, sumOf } from "./placelist.js";
import * as geo from "./places.js";
import { createParticular } from "./placewords.js";
import { VISITS, joined } from "./query.js";
import { current, update } from "./state.js";
import { createTop } from "./top.js";
import { createWorld } from "./worldmap.js";

const LEADERS = 4;

/** Return `{element, load(question, signal)}`; `onFault(error)`: the query is invalid; `onRetry()`: load everything again. */
export function createVisitors({ onFault, onRetry }) {
  const world = createWorld({ onPick: pickOnMap });
  const total = h("span", { class: "total" });
  const measures = switchOf("requests", t("map.measure"), [t("map.visitors"), t("map.requests")]);
  const kinds = switchOf("particular", t("map.kind"), [t("map.frequent"), t("map.particular")]);
  const countryList = createPlaces({ title: t("map.list"), onPick: chooseCountry });
  const side = h("div", { class: "map-side" });
  const leaders = h("div", { class: "panels leaders" });
  const words = h("div", { class: "place-words" }, h("div", { class: "words-head" }, h("h2", {}, t("map.side")), kinds), leaders);
  const notice = h("div", { class: "map-notice" });
  const head = h("div", { class: "card-head" }, h("h2", {}, t("map.title")), total, measures);
  const card = h("section", { class: "card map-card", "aria-label": t("map.title") }, head, world.element);
  const element = h("div", { class: "visitors" }, notice, h("div", { class: "map-grid" }, card, side), words);
  let found = null,
    seen = ""; // the country that the map was moved to

  async function load(question, signal) {
    element.setAttribute("aria-busy", "true");
    try {
      found = await read(question, signal);
      draw();
      put(notice, await missing(question, signal));
      await showWords(question, signal);
    } catch (error) {
      if (aborted(error)) return;
      if (error.status === 400) onFault(error);
      else if (!isAway(error)) put(notice, failure(error, onRetry));
    } finally {
      if (!signal.aborted) element.removeAttribute("aria-busy");
    }
  }

  async function read(question, signal) {
    const { country: code, region } = current();
    const [map, provinces, places] = await Promise.all([
      geo.loadWorld(signal),
      geo.loadProvinces(code, signal),
      geo.countries(question, signal),
    ]);
    const inside = code ? await geo.parts(code, region, provinces, question, signal) : { regions: [], cities: [] };
    // Addresses are counted if the events have them, and the page does not ask for requests.
    const known = sumOf(places, "visitors") > 0;
    return { map, provinces, places, ...inside, region: code && geo.listedAs(region), known, measure: known && !current().requests ? "visitors" : "requests" };
  }

  const nameOf = (value) => geo.regionName(found.provinces, value);

  function draw() {
    const { country: code } = current(),
      { places, region, regions, provinces, measure } = found;
    const counts = new Map(),
      labels = new Map();
    for (const place of places) {
      counts.set(`country ${place.value}`, place[measure]);
      labels.set(`country ${place.value}`, placeText(country(place.value), place, places, measure));
    }
    for (const place of regions) {
      const key = `province ${geo.provinceOf(provinces, place.value)?.code}`;
      counts.set(key, place[measure]);
      labels.set(key, placeText(nameOf(place.value), place, regions, measure));
    }
    const chosen = [`country ${code}`, `province ${geo.provinceOf(provinces, region)?.code}`];
    const first = places.slice(0, 5).map(({ value, [measure]: count }) => `${country(value)} ${number(count)}`);
    const summary = [t("map.title"), ...first].join(", ");
    world.draw({ world: found.map, provinces, counts, labels, nameOf: nameOnMap, chosen, summary });
    if (seen !== code) world.show(code);
    seen = code;
    total.textContent = t(`map.n.${measure}`, { n: number(sumOf(places, measure)) });
    measures.press(measure === "requests", !found.known);
    kinds.press(current().particular);
    showSide(code, region);
  }

  const nameOnMap = (kind, code) => (kind === "country" ? country(code) : nameOf(code));

  function showSide(code, region) {
    const { places, regions, cities, measure } = found;
    countryList.show({ places, measure, chosen: code, nameOf: country });
    if (!code) return put(side, countryList.element, places.length ? h("p", { class: "muted hint-line" }, t("map.choose")) : null);
    const regionList = createPlaces({ title: t("map.regions", { place: country(code) }), onPick: chooseRegion });
    const cityList = createPlaces({ title: t("map.cities", { place: region ? nameOf(region) : country(code) }), onPick: openCity });
    regionList.show({ places: regions, measure, chosen: region, nameOf });
    cityList.show({ places: cities, measure, nameOf: String });
    return put(
      side,
      h(
        "div",
        { class: "actions" },
        action("globe", t("map.world"), () => update({ country: "", region: "" })),
        action("list", t("map.logs"), () => openLogs(code, region)),
      ),
      regions.length ? regionList.element : null,
      cities.length ? cityList.element : null,
      countryList.element,
    );
  }

  function openLogs(code, region, city = "", more = []) {
    const { q, filters } = current();
    const chosen = [...filters, ...geo.filtersOf(code, region, city), ...more];
    update({ tab: "logs", country: "", region: "", q: joined(q.trim(), geo.eitherName(region)), filters: chosen });
  }
  const openCity = (city) => openLogs(current().country, found.region, city);

  function chooseCountry(code) {
    update({ country: code, region: "" });
  }

  function chooseRegion(region) {
    update({ region });
  }

  function pickOnMap(kind, code) {
    if (kind === "country") return chooseCountry(code);
    const place = found.regions.find(({ value }) => geo.provinceOf(found.provinces, value)?.code === code);
    return place && chooseRegion(place.value);
  }

  /** Show the words of the chosen place and of those beside each other: its parts, or else the countries. */
  function showWords(question, signal) {
    const { country: code } = current(),
      { region, regions, places, measure } = found;
    const inside = code && regions.length;
    const beside = [...(inside ? regions : places)]
      .sort((a, b) => b[measure] - a[measure])
      .map(({ value }) => (inside ? [code, value] : [value, ""]))
      .filter(([other, part]) => other !== code || part !== region);
    const chosen = code ? [[code, region]] : [];
    const shown = [...chosen, ...beside].slice(0, LEADERS);
    const panels = shown.map(([other, part]) => wordsOf(other, part));
    words.hidden = !panels.length;
    put(
      leaders,
      panels.map((panel) => panel.element),
    );
    return Promise.all(panels.map((panel) => panel.load(question, signal)));
  }

  function wordsOf(code, region) {
    const place = region ? nameOf(region) : country(code);
    const onPick = (field, value) => openLogs(code, region, "", [{ field, value, not: false }]);
    if (!current().particular) {
      const more = [...geo.at(code, region), VISITS];
      return createTop({ title: t("map.words", { country: place }), fields: ["search_word"], kind: "words", more, onPick });
    }
    const title = t("map.particular.title", { place });
    return createParticular({ title, place: geo.at(code, region), around: geo.around(code, region), onPick });
  }

  /** Return a card that says what is missing for the map to show more; null: nothing. */
  async function missing(question, signal) {
    const { places, regions, cities } = found,
      code = current().country;
    if (places.length && (!code || regions.length || cities.length)) return null;
    const { geoip } = await ask("status", {}, signal);
    if (!geoip?.database) return howto("database", geoip?.install);
    if (places.length) return /city|location|enterprise/i.test(geoip.database) ? null : howto("city", geoip.cities);
    return howto((await geo.hasAddresses(question, signal)) ? "places" : "addresses");
  }

  return { element, load };
}

/** Return buttons for the two values of a switch of the page's state; `press(on, fixed)` shows which one is chosen. */
function switchOf(name, label, texts) {
  const buttons = texts.map((text, place) =>
    h("button", { type: "button", class: "segment", on: { click: () => update({ [name]: place > 0 }) } }, text),
  );
  const element = h("div", { class: "segments", role: "group", "aria-label": label }, buttons);
  element.press = (on, fixed = false) => {
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(on === place > 0)));
    buttons[0].disabled = fixed;
  };
  return element;
}

const action = (name, text, click) =>
  h("button", { type: "button", class: "button", on: { click } }, icon(name), text);

function howto(what, command = "") {
  return h(
    "div",
    { class: "card howto" },
    h("h2", {}, t(`map.howto.${what}`)),
    h("p", {}, t(`map.howto.${what}.do`)),
    command ? h("pre", { class: "code" }, command) : null,
    h("p", { class: "muted" }, t("map.howto.then")),
  );
}
