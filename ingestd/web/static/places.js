/** Where visitors are: the fields that say so, and how many come from each country, province and city. */

import { ask, getJson } from "./api.js";
import { language } from "./i18n.js";
import { ADDRESS_FIELDS } from "./known_fields.js";
import { condition, joined, VISITS } from "./query.js";

/** Fields of Logstash's geoip filter, legacy and ECS; an event has those of one of them. */
const LAYOUTS = [
  ["geoip.country_code2", "geoip.region_name", "geoip.city_name"],
  ["geoip.geo.country_iso_code", "geoip.geo.region_name", "geoip.geo.city_name"],
  ["client.geo.country_iso_code", "client.geo.region_name", "client.geo.city_name"],
  ["source.geo.country_iso_code", "source.geo.region_name", "source.geo.city_name"],
].map(([country, region, city]) => ({ country, region, city }));
const MOST = 250,
  FEW = 50;
/** Maps of the provinces of a country. */
const PROVINCES = { KR: "korea.json" };

let layout = LAYOUTS[0],
  address = ADDRESS_FIELDS[0],
  alike = new Map(); // all names of a province of the chosen country, the most frequent first, by each of them
const maps = new Map();

/** Return a map in `static/`, loaded once. */
async function load(name, signal) {
  if (!maps.has(name)) maps.set(name, await getJson(new URL(name, import.meta.url), signal));
  return maps.get(name);
}

export const loadWorld = (signal) => load("world.json", signal);

/** Return the map of the provinces of a country, a promise of `{scale, provinces}`; null: there is none. */
export const loadProvinces = (code, signal) => (PROVINCES[code] ? load(PROVINCES[code], signal) : null);

/**
 * Return `[{value, requests, visitors}]`, most requests first: one for each country. `visitors`: distinct addresses.
 *
 * The fields that are found are those of all later questions.
 */
export async function countries(question, signal) {
  for (const other of [layout, ...LAYOUTS.filter((one) => one !== layout)]) {
    const found = await countBy(other.country, question, [VISITS], MOST, signal);
    if (found.length) {
      layout = other;
      return found.map((place) => ({ ...place, value: String(place.value).toUpperCase() }));
    }
  }
  return [];
}

/** Return `{regions, cities}` of a country, or of one of its regions, like `countries`; `map`: of its provinces, or null. */
export async function parts(code, region, map, question, signal) {
  const asked = countBy(layout.region, question, [...at(code), VISITS], FEW, signal).then((found) => merged(found, map));
  const learnt = asked.then((found) => (alike = namesOf(found)));
  if (region) await learnt; // its cities are those under all its names
  const [regions, cities] = await Promise.all([asked, countBy(layout.city, question, [...at(code, region), VISITS], FEW, signal), learnt]);
  return { regions, cities };
}

/**
 * Return places, most requests first, of which those that are one province of the map are one, by its most frequent name;
 * `names`: all of them. Databases rename provinces, so events have the old name and the new one.
 */
export function merged(places, map) {
  const found = new Map();
  for (const place of places) {
    const key = provinceOf(map, place.value)?.code ?? place,
      { requests = 0, visitors = 0, names = [], value = place.value } = found.get(key) ?? {};
    found.set(key, { value, requests: requests + place.requests, visitors: visitors + place.visitors, names: [...names, place.value] });
  }
  return [...found.values()].sort((a, b) => b.requests - a.requests);
}

const namesOf = (places) => new Map(places.flatMap(({ names }) => names.map((name) => [name, names])));

/** Return the name under which a region is listed. */
export const listedAs = (region) => alike.get(region)?.[0] ?? region;

async function countBy(field, question, more, n, signal) {
  const found = await counts([address], { by: field, n }, question, more, signal);
  if (!found.length || found.some(({ visitors }) => visitors > 0)) return found;
  return counts(ADDRESS_FIELDS, { by: field, n }, question, more, signal);
}

/** Return places with the distinct addresses in that one of the fields `names` that has any. */
async function counts(names, by, { q, since, until }, more, signal) {
  const metric = ["count", ...names.map((name) => `distinct:${name}`)];
  const { buckets } = await ask("aggregate", { ...by, metric, q: joined(q, more), since, until }, signal);
  address = names.find((name) => buckets.some(({ metrics }) => metrics[`distinct:${name}`] > 0)) ?? address;
  return buckets.map(({ key, metrics }) => ({
    value: key?.[by.by],
    requests: metrics.count,
    visitors: metrics[`distinct:${address}`] ?? 0,
  }));
}

/** Return the filters of a place, as in the page's state; a region of several names has `eitherName` instead. */
export function filtersOf(code, region = "", city = "") {
  const values = [
    [layout.country, code],
    [layout.region, eitherName(region).length ? "" : region],
    [layout.city, city],
  ];
  return values.filter(([, value]) => value).map(([field, value]) => ({ field, value, not: false }));
}

/** Return the condition of a region that has several names, a list; of others an empty one. */
export function eitherName(region) {
  const names = alike.get(region) ?? [];
  if (names.length < 2) return [];
  return [`(${names.map((value) => condition({ field: layout.region, value })).join(" OR ")})`];
}

/** Return the conditions of a place. */
export const at = (code, region) => [...filtersOf(code, region).map(condition), ...eitherName(region)];

/** Return the conditions of what a place is compared with, itself included: its country's regions, or all countries. */
export const around = (code, region) => [`_exists_:${region ? layout.region : layout.country}`, ...(region ? at(code) : [])];

/** Return whether any event of a question has the address of a visitor. */
export async function hasAddresses(question, signal) {
  return (await counts(ADDRESS_FIELDS, {}, question, [VISITS], signal)).some(({ visitors }) => visitors > 0);
}

/** Return a name as those in `also` of the map of provinces are written: `plain_name` of tools/provinces.py. */
const plainName = (name) =>
  String(name)
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "")
    .normalize("NFC")
    .replace(/province$/, "")
    .replace(/state$/, "");

/** Return the province that a database of addresses calls `name`; undefined: none of the map. */
export const provinceOf = (map, name) => map?.provinces.find(({ also }) => also.includes(plainName(name)));

/** Return a region's name in the page's language, if the map knows it. */
export function regionName(map, name) {
  return provinceOf(map, name)?.[language] ?? String(name);
}
