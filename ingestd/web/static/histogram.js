/** Events over time, stacked by level or by the values of a field. Drag, click or use the keys to zoom in. */

import { HERE, h, named, put, svg } from "./dom.js";
import { changeText, compact, duration, number } from "./format.js";
import { t } from "./i18n.js";
import { LEVELS, OTHER, gather, levelClass } from "./levels.js";
import { rangeText, ticks } from "./time.js";

const HEIGHT = 168,
  TOP = 10,
  BOTTOM = 22,
  LEFT = 44,
  RIGHT = 4,
  GAP = 12;
const STACK = [OTHER, ...LEVELS];

const levelName = (level) => (level === OTHER ? t("level.OTHER") : level);

let charts = 0; // so that their ids differ

/** How levels are stacked. */
const LEVEL_SERIES = {
  names: STACK,
  className: (level) => levelClass(level === OTHER ? "" : level),
  label: levelName,
  isValue: (level) => level !== OTHER,
  gather,
};

/**
 * Return `{element, show(answer, since, until), compare(answer, shiftMs), note(text), fail(node)}`.
 *
 * `onRange(since, until)`: a range was selected; `onPick(name)`: a value in the legend was selected. `tools`: an element
 * for its head; `totalText`: the text for how many there are. `seriesOf(answer)` returns how the counts of a bar are
 * stacked: `names` from the bottom to the top, `gather(counts)` by these names, and the `className(name)`, `label(name)`
 * of each, and whether it `isValue(name)`.
 */
export function createHistogram({
  onRange,
  onPick,
  tools = null,
  title = t("chart.title"),
  totalText = "chart.events",
  seriesOf = () => LEVEL_SERIES,
}) {
  const keysId = `chart-keys-${++charts}`;
  const total = h("span", { class: "total" });
  const per = h("span", { class: "muted per" });
  const legend = h("div", { class: "legend", role: "group", "aria-label": title });
  const chart = svg("svg", { class: "chart", height: HEIGHT, "aria-hidden": "true" });
  const tip = h("div", { class: "tip", hidden: true });
  const stage = h(
    "div",
    {
      class: "stage",
      tabindex: "0",
      role: "slider",
      "aria-label": title,
      "aria-describedby": keysId,
      "aria-valuemin": "0",
      "aria-valuemax": "0",
      "aria-valuenow": "0",
      "aria-valuetext": t("chart.none"),
    },
    chart,
    tip,
  );
  const body = h("div", { class: "card-body" }, stage);
  const element = h(
    "section",
    { class: "card histogram", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), total, tools, per, legend),
    body,
    h("p", { class: "sr-only", id: keysId }, t("chart.keys")),
  );
  let view = null; // the drawn bars, domain and scales
  let mark = null; // {from, to}: indexes of bars

  function show(answer, since, until) {
    put(body, stage);
    const series = seriesOf(answer);
    const bars = barsOf(answer, since, until, series);
    const sums = {};
    for (const bar of bars)
      for (const [level, count] of Object.entries(bar.counts)) sums[level] = (sums[level] ?? 0) + count;
    total.textContent = t(totalText, { n: number(answer.total) });
    per.textContent = `${t("chart.per", { text: duration(answer.seconds) })} · ${t("chart.hint")}`;
    put(
      legend,
      series.names
        .filter((name) => sums[name])
        .reverse()
        .map((name) => legendItem(series, name, sums[name], onPick)),
    );
    view = { bars, series, since, until, most: Math.max(0, ...bars.map((bar) => bar.total)), all: answer.total };
    mark = null;
    draw();
  }

  /** Draw the period before as a line behind the bars: `answer` has its bars, `shiftMs` earlier. */
  function compare(answer, shiftMs) {
    const bars = barsOf(
      answer,
      new Date(view.since.getTime() - shiftMs),
      new Date(view.until.getTime() - shiftMs),
      view.series,
    );
    const counts = new Map(bars.map((bar) => [bar.begin.getTime() + shiftMs, bar.total]));
    for (const bar of view.bars) bar.before = counts.get(bar.begin.getTime()) ?? 0;
    view.most = Math.max(view.most, ...view.bars.map((bar) => bar.before));
    view.compared = true;
    per.textContent = `${t("chart.before", { n: number(answer.total) })} · ${changeText(view.all, answer.total)}`;
    draw();
  }

  function draw() {
    const width = Math.floor(stage.clientWidth);
    if (!view || width < 80) return;
    const { bars, series, since, until, most } = view;
    const plot = width - LEFT - RIGHT,
      floor = HEIGHT - BOTTOM;
    const ceiling = niceCeiling(most);
    const x = (time) => LEFT + ((time - since) / (until - since)) * plot;
    const y = (count) => floor - (count / ceiling) * (floor - TOP);
    Object.assign(view, { x, plot, time: (at) => new Date(since.getTime() + ((at - LEFT) / plot) * (until - since)) });
    chart.setAttribute("width", width);
    chart.classList.toggle("compared", Boolean(view.compared));
    chart.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const gap = plot / Math.max(1, bars.length) > 5 ? 1 : 0;
    const paths = series.names.map((name) => {
      const d = bars.map((bar) => rectangle(bar, name, { x, y, gap, edge: LEFT + plot, names: series.names })).join("");
      return d && svg("path", { d, class: `bar ${series.className(name)}` });
    });
    chart.replaceChildren(
      ...[0, ceiling / 2, ceiling].filter(Number.isInteger).flatMap((value) => gridLine(value, y(value), width, most)),
      ...ticks(since, until, Math.max(2, Math.floor(plot / 84))).flatMap((tick) =>
        tickMark(tick, x(tick.date), floor, width),
      ),
      view.compared ? svg("path", { class: "before", d: beforeLine(bars, { x, y, edge: LEFT + plot }) }) : "",
      ...paths.filter(Boolean),
      svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: floor + 0.5, y2: floor + 0.5 }),
      svg("rect", { class: "brush", y: TOP, height: floor - TOP, x: 0, width: 0 }),
      most === 0
        ? svg("text", { class: "none", x: LEFT + plot / 2, y: floor / 2 + 8, "text-anchor": "middle" }, t("chart.none"))
        : "",
    );
    stage.setAttribute("aria-valuemax", String(Math.max(0, bars.length - 1)));
    paintMark();
  }

  function paintMark() {
    const brush = chart.querySelector(".brush");
    if (!brush || !view) return;
    tip.hidden = !mark;
    brush.setAttribute("width", 0);
    if (!mark || !view.bars.length) return;
    const [first, last] = [view.bars[Math.min(mark.from, mark.to)], view.bars[Math.max(mark.from, mark.to)]];
    const left = Math.max(LEFT, view.x(first.begin)),
      right = Math.min(LEFT + view.plot, view.x(last.end));
    brush.setAttribute("x", left);
    brush.setAttribute("width", Math.max(1, right - left));
    brush.classList.toggle("selecting", Boolean(mark.selecting));
    const bars = view.bars.slice(view.bars.indexOf(first), view.bars.indexOf(last) + 1);
    showTip(bars, left, right);
  }

  // Beside what is pointed at, or above the chart if neither side has the room: it never covers it.
  function placeTip(left, right) {
    const width = stage.clientWidth,
      own = tip.offsetWidth;
    const beside = right + GAP + own <= width ? right + GAP : left - GAP - own;
    tip.classList.toggle("above", beside < 0);
    const middle = Math.min(Math.max((left + right - own) / 2, 0), width - own);
    tip.style.left = `${beside < 0 ? middle : beside}px`;
  }

  function showTip(bars, left, right) {
    const sums = {};
    for (const bar of bars)
      for (const [level, count] of Object.entries(bar.counts)) sums[level] = (sums[level] ?? 0) + count;
    const { names, className, label } = view.series;
    const lines = names.filter((name) => sums[name]).reverse();
    const time = rangeText(bars[0].begin, bars.at(-1).end);
    const before = t("chart.before", { n: number(bars.reduce((sum, bar) => sum + (bar.before ?? 0), 0)) });
    put(
      tip,
      h("p", { class: "tip-title" }, time),
      lines.length
        ? lines.map((name) =>
            h(
              "p",
              { class: "tip-line" },
              h("span", { class: `swatch ${className(name)}` }),
              label(name),
              h("b", {}, number(sums[name])),
            ),
          )
        : h("p", { class: "muted" }, t("chart.none")),
      view.compared ? h("p", { class: "tip-line" }, h("span", { class: "swatch swatch-before" }), before) : null,
    );
    placeTip(left, right);
    stage.setAttribute("aria-valuenow", String(mark.to));
    stage.setAttribute(
      "aria-valuetext",
      t("chart.bar", {
        time,
        text:
          (lines.map((name) => `${label(name)} ${number(sums[name])}`).join(", ") || t("chart.none")) +
          (view.compared ? `; ${before}` : ""),
      }),
    );
  }

  const barAt = (event) => {
    const at = view.time(event.clientX - stage.getBoundingClientRect().left);
    const place = view.bars.findIndex((bar) => at < bar.end);
    return place < 0 ? view.bars.length - 1 : place;
  };
  function choose() {
    if (!mark) return;
    const from = view.bars[Math.min(mark.from, mark.to)],
      to = view.bars[Math.max(mark.from, mark.to)];
    mark = null;
    paintMark();
    onRange(new Date(Math.max(from.begin, view.since)), new Date(to.end));
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !view?.bars.length) return;
    stage.setPointerCapture(event.pointerId);
    const at = barAt(event);
    mark = { from: at, to: at, selecting: true };
    paintMark();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!view?.bars.length) return;
    const at = barAt(event);
    mark = mark?.selecting ? { ...mark, to: at } : { from: at, to: at };
    paintMark();
  });
  stage.addEventListener("pointerup", () => mark?.selecting && choose());
  for (const end of ["pointerleave", "pointercancel", "blur"]) {
    stage.addEventListener(end, () => {
      if (end === "pointerleave" && mark?.selecting) return;
      mark = null;
      paintMark();
    });
  }
  stage.addEventListener("keydown", (event) => {
    const last = (view?.bars.length ?? 0) - 1;
    if (last < 0) return;
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowDown: -1,
      ArrowUp: 1,
      PageDown: -10,
      PageUp: 10,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key in moves) {
      const at = Math.max(0, Math.min(last, (mark?.to ?? (moves[event.key] > 0 ? -1 : last + 1)) + moves[event.key]));
      mark = event.shiftKey && mark ? { from: mark.from, to: at, selecting: false } : { from: at, to: at };
      paintMark();
    } else if (event.key === "Enter" && mark) choose();
    else if (event.key === "Escape" && mark) {
      mark = null;
      paintMark();
    } else return;
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(stage);

  return { element, show, compare, note: (text) => (per.textContent = text), fail: (node) => put(body, node) };
}

function legendItem({ className, label, isValue }, name, count, onPick) {
  const content = [
    h("span", { class: `swatch ${className(name)}` }),
    h("span", { class: "legend-name" }, label(name)),
    " ",
    h("b", {}, compact(count)),
  ];
  if (!isValue(name)) return h("span", { class: "legend-item" }, content);
  const only = t("chart.only", { level: label(name) });
  return h(
    "button",
    { type: "button", class: "legend-item", title: only, on: { click: () => onPick(name) } },
    named(`${HERE}: ${only}`, content),
  );
}

/** Return all bars of the domain, including empty ones: `[{begin, end, counts, total}]`. */
function barsOf(answer, since, until, { gather: gathered }) {
  const step = answer.seconds * 1000;
  // The first bucket may start earlier than it says: no time is before the year 1.
  const known = answer.buckets.length ? Date.parse(answer.buckets.at(-1).time) : since.getTime();
  const first = known - Math.ceil((known - since.getTime()) / step) * step;
  const barNumber = (bucket) => Math.floor((Date.parse(bucket.time) - first) / step);
  const counts = new Map(answer.buckets.map((bucket) => [barNumber(bucket), gathered(bucket.counts)]));
  const bars = [];
  for (let begin = first; begin < until.getTime() && bars.length < 2000; begin += step) {
    const own = counts.get(bars.length) ?? {};
    bars.push({
      begin: new Date(begin),
      end: new Date(begin + step),
      counts: own,
      total: Object.values(own).reduce((sum, count) => sum + count, 0),
    });
  }
  return bars;
}

/** Return the outline of the bars of the period before. */
function beforeLine(bars, { x, y, edge }) {
  const px = (value) => value.toFixed(1);
  return bars
    .map((bar, place) => {
      const left = Math.max(LEFT, x(bar.begin)),
        right = Math.min(x(bar.end), edge);
      return `${place ? "L" : "M"}${px(left)} ${px(y(bar.before))}H${px(right)}`;
    })
    .join("");
}

function rectangle(bar, level, { x, y, gap, edge, names }) {
  const count = bar.counts[level];
  if (!count) return "";
  let below = 0;
  for (const other of names) {
    if (other === level) break;
    below += bar.counts[other] ?? 0;
  }
  const left = Math.max(LEFT, x(bar.begin)),
    right = Math.max(left + 1, Math.min(x(bar.end), edge) - gap);
  const bottom = y(below),
    top = Math.min(bottom - 1, y(below + count)); // a single event among thousands stays visible
  const px = (value) => value.toFixed(1);
  return `M${px(left)} ${px(bottom)}V${px(top)}H${px(right)}V${px(bottom)}z`;
}

/** Return the smallest round number that is at least `value`, so that the bars use most of the height. */
function niceCeiling(value) {
  if (value <= 2) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((nice) => nice >= value);
}

function gridLine(value, at, width, most) {
  if (most === 0) return [];
  return [
    svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }),
    svg("text", { class: "label", x: LEFT - 8, y: at + 4, "text-anchor": "end" }, compact(value)),
  ];
}

function tickMark(tick, at, floor, width) {
  return [
    svg("line", { class: "tick", x1: at, x2: at, y1: floor, y2: floor + 4 }),
    svg(
      "text",
      { class: tick.strong ? "label strong" : "label", x: at, y: floor + 17, "text-anchor": "middle" },
      at > width - 24 ? "" : tick.text,
    ),
  ];
}
