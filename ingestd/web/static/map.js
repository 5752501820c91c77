/** The page "Visitors": a world map by visitors, and the top search words of a country. */

import { aborted, ask, getJson } from "./api.js";
import { h, put, svg } from "./dom.js";
import { compact, country, number, percent } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failure } from "./notices.js";
import { condition, joined, VISITS } from "./query.js";
import { addFilter, current, update } from "./state.js";
import { createTop } from "./top.js";

/** Fields with the two-letter country code: as Logstash's geoip filter sets them, legacy and ECS. */
const FIELDS = [
  "geoip.country_code2",
  "geoip.geo.country_iso_code",
  "client.geo.country_iso_code",
  "source.geo.country_iso_code",
];
const SHADES = 5,
  MOST = 250,
  LEADERS = 4;

/** Return `{element, load(question, signal)}`; `onFault(error)`: the query is invalid; `onRetry()`: load everything again. */
export function createVisitors({ onFault, onRetry }) {
  const tip = h("div", { class: "tip", hidden: true });
  const stage = h("div", { class: "map-stage" });
  const legend = h("div", { class: "map-legend" });
  const list = h("ol", { class: "top-list countries" });
  const total = h("span", { class: "total" });
  const side = h("div", { class: "map-side" });
  const leaders = h("div", { class: "panels leaders" });
  const notice = h("div", { class: "map-notice" });
  const element = h(
    "div",
    { class: "visitors" },
    notice,
    h(
      "div",
      { class: "map-grid" },
      h(
        "section",
        { class: "card map-card", "aria-label": t("map.title") },
        h("div", { class: "card-head" }, h("h2", {}, t("map.title")), total),
        h("div", { class: "stage-frame" }, stage, tip),
        legend,
      ),
      side,
    ),
    leaders,
  );
  const listCard = h(
    "section",
    { class: "card top", "aria-label": t("map.list") },
    h("div", { class: "card-head" }, h("h2", {}, t("map.list"))),
    list,
  );
  let map = null,
    field = FIELDS[0],
    counts = new Map(),
    sum = 0,
    places = new Map();

  async function load(question, signal) {
    element.setAttribute("aria-busy", "true");
    try {
      map ??= await getJson(new URL("world.json", import.meta.url), signal);
      const values = await visitors(question, signal);
      counts = new Map(values.map(({ value, count }) => [String(value).toUpperCase(), count]));
      sum = values.reduce((all, { count }) => all + count, 0);
      draw();
      put(notice);
      if (!values.length) await explain(signal);
      await Promise.all([showSide(question, signal), showLeaders(question, signal)]);
    } catch (error) {
      if (aborted(error)) return;
      if (error.status === 400) onFault(error);
      else put(notice, failure(error, onRetry));
    } finally {
      if (!signal.aborted) element.removeAttribute("aria-busy");
    }
  }

  async function visitors({ q, since, until }, signal) {
    for (const name of [field, ...FIELDS.filter((other) => other !== field)]) {
      const { values } = await ask("top", { field: name, n: MOST, q: joined(q, [VISITS]), since, until }, signal);
      if (values.length) {
        field = name;
        return values;
      }
    }
    return [];
  }

  function draw() {
    const logs = [...counts.values()].map(Math.log);
    const least = Math.min(...logs),
      spread = Math.max(...logs) - least || 1;
    const chosen = current().country;
    // A power scale: one large country must not make all others look empty.
    const shade = (count) =>
      count ? Math.min(SHADES, 1 + Math.floor((SHADES * (Math.log(count) - least)) / spread)) : 0;
    const named = (code) =>
      `${country(code)}: ${counts.has(code) ? t("map.share", { n: number(counts.get(code)), share: percent(counts.get(code), sum) }) : "0"}`;
    const land = (code, shape) => {
      shape.setAttribute("class", `land shade-${shade(counts.get(code))}${code === chosen ? " chosen" : ""}`);
      shape.dataset.country = code;
      places.set(code, shape);
      if (counts.has(code)) shape.addEventListener("click", () => choose(code));
      shape.addEventListener("pointermove", (event) => showTip(event, named(code)));
      shape.addEventListener("pointerleave", () => (tip.hidden = true));
      return shape;
    };
    places = new Map();
    put(
      stage,
      svg(
        "svg",
        { class: "world", viewBox: `0 0 ${map.width} ${map.height}`, role: "img", "aria-label": summary() },
        map.rest ? svg("path", { class: "land shade-0", d: map.rest }) : null,
        Object.entries(map.shapes).map(([code, d]) => land(code, svg("path", { d }))),
        Object.entries(map.dots)
          .filter(([code]) => counts.has(code))
          .map(([code, [cx, cy]]) => land(code, svg("circle", { cx, cy, r: 9 }))),
      ),
    );
    const last = places.get(chosen);
    if (last) last.parentNode.append(last); // its outline must be above its neighbours
    put(
      legend,
      t("map.less"),
      Array.from({ length: SHADES }, (_, place) => h("span", { class: `shade-swatch shade-${place + 1}` })),
      t("map.much"),
    );
    total.textContent = t("chart.events", { n: number(sum) });
    const rows = [...counts].sort((a, b) => b[1] - a[1]);
    put(
      list,
      rows.length
        ? rows.map(([code, count]) => row(code, count, rows[0][1], code === chosen))
        : h("li", { class: "top-none muted" }, t("map.none")),
    );
  }

  const summary = () =>
    [t("map.title"), ...[...counts].slice(0, 5).map(([code, count]) => `${country(code)} ${number(count)}`)].join(", ");

  function row(code, count, most, chosen) {
    const bar = h("span", { class: "top-bar" });
    bar.style.width = `${(100 * count) / most}%`;
    return h(
      "li",
      { class: "top-row" },
      h(
        "button",
        {
          type: "button",
          class: "top-pick",
          "aria-pressed": String(chosen),
          data: { country: code },
          on: { click: () => choose(chosen ? "" : code) },
        },
        bar,
        h("span", { class: "top-value" }, country(code)),
        h("span", { class: "top-count" }, compact(count), h("span", { class: "muted share" }, percent(count, sum))),
      ),
    );
  }

  function showTip(event, text) {
    const box = stage.getBoundingClientRect();
    tip.hidden = false;
    put(tip, h("p", { class: "tip-title" }, text));
    tip.style.left = `${Math.max(tip.offsetWidth / 2, Math.min(event.clientX - box.left, box.width - tip.offsetWidth / 2))}px`;
    tip.style.top = `${event.clientY - box.top - tip.offsetHeight - 14}px`;
  }

  const choose = (code) => update({ country: code });

  function showSide(question, signal) {
    const chosen = current().country;
    if (!chosen) return put(side, listCard, counts.size ? h("p", { class: "muted hint-line" }, t("map.choose")) : null);
    const words = wordsOf(chosen, t("map.words", { country: country(chosen) }), () => choose(""));
    put(
      side,
      words.element,
      h(
        "div",
        { class: "actions" },
        h(
          "button",
          {
            type: "button",
            class: "button",
            on: { click: () => addFilter(field, chosen, { tab: "logs", country: "" }) },
          },
          icon("list"),
          t("map.logs"),
        ),
      ),
      listCard,
    );
    return words.load(question, signal);
  }

  // Select the country with the most visitors initially.
  function showLeaders(question, signal) {
    const codes = [...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([code]) => code)
      .filter((code) => code !== current().country)
      .slice(0, LEADERS);
    const panels = codes.map((code) => wordsOf(code, t("map.words", { country: country(code) })));
    put(
      leaders,
      panels.map((panel) => panel.element),
    );
    return Promise.all(panels.map((panel) => panel.load(question, signal)));
  }

  function wordsOf(code, title, onClose = null) {
    return createTop({
      title,
      fields: ["search_word"],
      kind: "words",
      more: [condition({ field, value: code }), VISITS],
      onClose,
      onPick: (name, value) =>
        update({
          tab: "logs",
          filters: [...current().filters, { field, value: code, not: false }, { field: name, value, not: false }],
        }),
    });
  }

  async function explain(signal) {
    const status = await ask("status", {}, signal);
    if (status.geoip?.database) return;
    put(
      notice,
      h(
        "div",
        { class: "card howto" },
        h("h2", {}, t("map.howto")),
        h("p", {}, t("map.howto1")),
        h("pre", { class: "code" }, status.geoip?.install ?? ""),
        h("p", { class: "muted" }, t("map.howto2")),
      ),
    );
  }

  return { element, load };
}
