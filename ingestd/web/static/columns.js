/** The columns of the events: sorted within what is shown, moved, sized. */

import { h, popup, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { LEVELS, levelName, levelOf } from "./levels.js";
import { current, toggleIn, update } from "./state.js";
import { valueAt } from "./values.js";

const STEP = 20,
  LEAST = 60,
  MOST = 1200;

const OLDEST = "@timestamp";

/** Return whether events are in the order of time. */
export const isByTime = ({ sort }) => !sort || sort === OLDEST;

/** Return hits in the order of `state.sort`; "" is the store's: newest first. */
export function sortedHits(hits, { sort }) {
  if (!sort) return hits;
  if (sort === OLDEST) return hits.toReversed();
  const path = sort.replace(/^-/, "");
  const direction = sort.startsWith("-") ? -1 : 1;
  const valueOf = path === "level" ? severity : (event) => valueAt(event, path);
  const keyed = hits.map((hit) => ({ hit, key: valueOf(hit.event) }));
  const missing = ({ key }) => key === undefined || key === null;
  // Events without the value come last, whatever the direction.
  return keyed
    .sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : direction * compared(a.key, b.key)))
    .map(({ hit }) => hit);
}

function severity(event) {
  const level = LEVELS.indexOf(levelName(levelOf(event)));
  return level < 0 ? null : level;
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

/** Return the choice of an order; `show(state, events)`: what it is, and of how many events. */
export function createSortChoice() {
  const name = h("span", {});
  const button = h("button", { class: "ghost small", type: "button", data: { sorting: "" } }, name, icon("down", 14));
  const note = h("span", { class: "muted small" });
  function show(state, events) {
    name.textContent = orderName(state.sort);
    button.setAttribute("aria-label", `${t("sort.label")}: ${orderName(state.sort)}`);
    note.textContent = state.sort && events ? t("sort.within", { n: events }) : "";
  }
  show(current(), 0); // nothing is loaded yet
  return { element: h("span", { class: "sort" }, popup({ button, label: t("sort.label"), content: orders }), note), show };
}

function orderName(sort) {
  if (isByTime({ sort })) return t(sort ? "table.oldest" : "table.newest");
  return `${sort.replace(/^-/, "")} ${sort.startsWith("-") ? "↓" : "↑"}`;
}

function orders(close) {
  const { cols, sort } = current();
  const paths = [...new Set(["level", ...cols, ...(sort ? [sort.replace(/^-/, "")] : [])])];
  const choices = ["", OLDEST, ...paths.filter((path) => path !== OLDEST).flatMap((path) => [path, `-${path}`])];
  const choose = (next) => {
    close();
    update({ sort: next });
  };
  return h(
    "div",
    { class: "choices" },
    choices.map((next) =>
      h(
        "button",
        {
          class: "choice",
          type: "button",
          data: { sort: next },
          "aria-pressed": String(sort === next),
          on: { click: () => choose(next) },
        },
        orderName(next),
      ),
    ),
    cols.length ? columnList() : null,
  );
}

/** Return the columns, each with the buttons that move and remove it: on a phone, a row is a card and has no head. */
function columnList() {
  const list = h("ul", { class: "column-list", "aria-label": t("column.title") });
  const show = () =>
    put(
      list,
      current().cols.map((path) => h("li", { on: { click: show } }, h("span", { class: "column-name" }, path), tools(path, current()))),
    );
  show();
  return [h("p", { class: "popup-title" }, t("column.title")), list];
}

/** Return the buttons that move and remove a column. */
function tools(path, { cols }) {
  const place = cols.indexOf(path);
  const tool = (key, glyph, act) =>
    h(
      "button",
      {
        type: "button",
        class: "tool",
        data: { key: `${key} ${path}` },
        "aria-label": t(key, { field: path }),
        title: t(key, { field: path }),
        on: { click: act },
      },
      glyph,
    );
  return [
    place > 0 ? tool("column.left", "‹", () => move(path, -1)) : null,
    place < cols.length - 1 ? tool("column.right", "›", () => move(path, 1)) : null,
    tool("table.drop", icon("close", 12), () => toggleIn("cols", path)),
  ];
}

/** Return the head of a column: its name sorts, and buttons move, size and remove it. */
export function columnHead(path, state) {
  const sorted = state.sort === path ? "ascending" : state.sort === `-${path}` ? "descending" : "none";
  const next = { none: path, ascending: `-${path}`, descending: "" }[sorted];
  const head = h(
    "th",
    { scope: "col", class: "cell-head", "aria-sort": sorted },
    h(
      "button",
      {
        type: "button",
        class: "sort-by",
        data: { key: `sort ${path}` },
        title: t("sort.by", { field: path }),
        on: { click: () => update({ sort: next }) },
      },
      path,
      h("span", { "aria-hidden": "true" }, { none: "", ascending: " ↑", descending: " ↓" }[sorted]),
    ),
    tools(path, state),
  );
  head.append(handle(path, head, state));
  size(head, path, state);
  return head;
}

/** Give a cell the width that its column was given. */
export function size(cell, path, { widths }) {
  if (!widths[path]) return cell;
  for (const side of ["minWidth", "maxWidth", "width"]) cell.style[side] = `${widths[path]}px`;
  return cell;
}

function move(path, step) {
  const cols = [...current().cols];
  const place = cols.indexOf(path);
  cols.splice(place, 1);
  cols.splice(place + step, 0, path);
  update({ cols });
}

/** Return the edge of a column that is dragged, or moved with the arrow keys; a double click resets it. */
function handle(path, head, { widths }) {
  const edge = h("span", {
    class: "column-edge",
    role: "separator",
    tabindex: "0",
    data: { key: `size ${path}` },
    "aria-orientation": "vertical",
    "aria-label": t("column.size", { field: path }),
    "aria-valuemin": String(LEAST),
    "aria-valuemax": String(MOST),
    "aria-valuenow": String(widths[path] ?? 200),
  });
  let start = null;
  const fit = (width) => Math.round(Math.max(LEAST, Math.min(MOST, width)));
  const keep = (width) => update({ widths: { ...current().widths, [path]: fit(width) } }, { replace: true });
  edge.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    edge.setPointerCapture(event.pointerId);
    start = { at: event.clientX, width: head.offsetWidth };
  });
  edge.addEventListener("pointermove", (event) => {
    if (start) size(head, path, { widths: { [path]: fit(start.width + event.clientX - start.at) } });
  });
  edge.addEventListener("pointerup", (event) => {
    const moved = start && event.clientX - start.at;
    if (moved) keep(start.width + moved);
    start = null;
  });
  edge.addEventListener("dblclick", () => {
    const others = Object.entries(current().widths).filter(([name]) => name !== path);
    update({ widths: Object.fromEntries(others) }, { replace: true });
  });
  edge.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    keep(head.offsetWidth + step);
  });
  return edge;
}
