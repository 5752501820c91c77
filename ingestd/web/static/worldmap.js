/** The world map: shaded countries and provinces, zoomed by buttons or two fingers, drawn by the pointer or a finger. */

import { h, put, svg } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

export const SHADES = 5;
const CLOSEST = 40,
  STEP = 2,
  DOT = 9,
  MARGIN = 1.25;

/**
 * Return `{element, draw(view), show(bounds)}`.
 *
 * `onPick(kind, value)`: a country or province was clicked. A view has the `world`, the map of `provinces` of the chosen
 * country or null, `counts` and `labels` by `country CODE` and `province CODE`, those `chosen`, `nameOf(kind, code)` for
 * those without a label, and a `summary`.
 */
export function createWorld({ onPick }) {
  const tip = h("div", { class: "tip", hidden: true });
  const stage = h("div", { class: "map-stage" });
  const legend = h("div", { class: "map-legend" });
  const buttons = [
    ["plus", "map.in", () => zoom(1 / STEP)],
    ["minus", "map.out", () => zoom(STEP)],
    ["globe", "map.whole", () => look(whole)],
  ].map(([name, label, click]) =>
    h("button", { type: "button", class: "ghost square", "aria-label": t(label), title: t(label), on: { click } }, icon(name)),
  );
  const tools = h("div", { class: "map-tools", role: "group", "aria-label": t("map.zoom") }, buttons);
  const element = h("div", {}, h("div", { class: "stage-frame" }, stage, tools, tip), legend);
  let root = null,
    whole = null, // what is seen: its west, its north, and its width, in units of the map
    box = null,
    shapes = new Map(),
    dots = [],
    dragged = null;
  const fingers = new Map(); // on the map, where each is

  function draw({ world, provinces, counts, labels, nameOf, chosen, summary }) {
    whole ??= { x: 0, y: 0, w: world.width, h: world.height };
    box ??= whole;
    const shade = scaleOf(counts);
    shapes = new Map();
    const land = (key, shape) => {
      shape.setAttribute("class", `land shade-${shade(key)}${chosen.includes(key) ? " chosen" : ""}`);
      const [kind, code] = key.split(" ");
      shape.dataset[kind] = code;
      shapes.set(key, shape);
      if (labels.has(key)) shape.addEventListener("click", () => !dragged?.far && onPick(kind, code));
      shape.addEventListener("pointermove", (event) => showTip(event, labels.get(key) ?? `${nameOf(kind, code)}: 0`));
      shape.addEventListener("pointerleave", () => (tip.hidden = true));
      return shape;
    };
    const inside = provinces?.provinces ?? [];
    const hidden = inside.length ? inside[0].code.slice(0, 2) : "";
    dots = Object.entries(world.dots)
      .filter(([code]) => labels.has(`country ${code}`))
      .map(([code, [cx, cy]]) => land(`country ${code}`, svg("circle", { cx, cy })));
    root = svg(
      "svg",
      { class: "world", role: "img", "aria-label": summary },
      world.rest ? svg("path", { class: "land shade-0", d: world.rest }) : null,
      Object.entries(world.shapes)
        .filter(([code]) => code !== hidden)
        .map(([code, d]) => land(`country ${code}`, svg("path", { d }))),
      inside.length
        ? svg(
            "g",
            { transform: `scale(${provinces.scale})` },
            inside.map(({ code, d }) => land(`province ${code}`, svg("path", { d }))),
          )
        : null,
      dots,
    );
    fingers.clear();
    root.addEventListener("pointerdown", press);
    root.addEventListener("pointermove", (event) => pinch(event) || drag(event));
    for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, lift);
    root.addEventListener("wheel", wheel, { passive: false });
    put(stage, root);
    // The outline of a chosen country must be above its neighbours; provinces stay in order, cities lie within others.
    for (const key of chosen) if (key.startsWith("country")) shapes.get(key)?.parentNode.append(shapes.get(key));
    put(
      legend,
      t("map.less"),
      Array.from({ length: SHADES }, (_, place) => h("span", { class: `shade-swatch shade-${place + 1}` })),
      t("map.much"),
    );
    look(box);
  }

  function scaleOf(counts) {
    // Each kind has a scale of its own, a power scale: a large country must not make all others look empty.
    const scales = ["country", "province"].map((kind) => {
      const logs = [...counts].filter(([key, count]) => key.startsWith(kind) && count > 0).map(([, count]) => Math.log(count));
      const least = Math.min(...logs);
      return [kind, { least, spread: Math.max(...logs) - least || 1 }];
    });
    const of = Object.fromEntries(scales);
    return (key) => {
      const count = counts.get(key),
        { least, spread } = of[key.split(" ")[0]];
      return count ? Math.min(SHADES, 1 + Math.floor((SHADES * (Math.log(count) - least)) / spread)) : 0;
    };
  }

  /** Show a part of the map: what is beyond its edges is left out. */
  function look(part) {
    const w = Math.min(whole.w, Math.max(CLOSEST, part.w)),
      height = (w * whole.h) / whole.w;
    const x = Math.min(Math.max(0, part.x + (part.w - w) / 2), whole.w - w),
      y = Math.min(Math.max(0, part.y + (part.h - height) / 2), whole.h - height);
    box = { x, y, w, h: height };
    root.setAttribute("viewBox", `${x} ${y} ${w} ${height}`);
    root.classList.toggle("zoomed", w < whole.w);
    for (const dot of dots) dot.setAttribute("r", (DOT * w) / whole.w);
    const [closer, , all] = buttons;
    closer.disabled = w <= CLOSEST;
    buttons[1].disabled = all.disabled = w >= whole.w;
  }

  function zoom(factor, at = { x: box.x + box.w / 2, y: box.y + box.h / 2 }) {
    const w = Math.min(whole.w, Math.max(CLOSEST, box.w * factor)),
      by = w / box.w;
    look({ x: at.x + (box.x - at.x) * by, y: at.y + (box.y - at.y) * by, w, h: box.h * by });
  }

  /** Show a country, or all of the map. */
  function show(code) {
    const parts = code ? [...shapes].filter(([key]) => key === `country ${code}` || key.startsWith(`province ${code}`)) : [];
    if (!parts.length) return look(whole);
    const edges = parts.map(([key, shape]) => {
      const { x, y, width, height } = shape.getBBox(),
        scale = key.startsWith("province") ? shape.parentNode.transform.baseVal[0].matrix.a : 1;
      return { west: x * scale, north: y * scale, east: (x + width) * scale, south: (y + height) * scale };
    });
    const west = Math.min(...edges.map((edge) => edge.west)),
      east = Math.max(...edges.map((edge) => edge.east)),
      north = Math.min(...edges.map((edge) => edge.north)),
      south = Math.max(...edges.map((edge) => edge.south));
    const w = MARGIN * Math.max(east - west, ((south - north) * whole.w) / whole.h);
    return look({ x: (west + east - w) / 2, y: (north + south - (w * whole.h) / whole.w) / 2, w, h: (w * whole.h) / whole.w });
  }

  const placeOf = ({ clientX: x, clientY: y }) => ({ x, y });

  function press(event) {
    if (event.pointerType === "touch") fingers.set(event.pointerId, placeOf(event));
    dragged = { ...placeOf(event), box, far: fingers.size > 1 };
  }

  function lift({ pointerId }) {
    if (!fingers.delete(pointerId)) return;
    for (const place of fingers.values()) dragged = { ...place, box, far: true }; // it continues alone
  }

  /** Zoom by how two fingers move apart; return whether there are two. */
  function pinch(event) {
    if (!fingers.has(event.pointerId)) return false;
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return { wide: Math.hypot(a.x - b.x, a.y - b.y) || 1, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    };
    const before = fingers.size === 2 ? spread() : null;
    fingers.set(event.pointerId, placeOf(event));
    if (before) zoom(before.wide / spread().wide, onMap(before));
    return fingers.size > 1;
  }

  function drag(event) {
    if (!dragged || !(event.buttons & 1)) return;
    const scale = box.w / stage.clientWidth,
      dx = event.clientX - dragged.x,
      dy = event.clientY - dragged.y;
    if (Math.abs(dx) + Math.abs(dy) > 5) dragged.far = true;
    if (dragged.far && box.w < whole.w) look({ ...box, x: dragged.box.x - dx * scale, y: dragged.box.y - dy * scale });
  }

  // With Ctrl, which is what a pinch of two fingers is: without it the page scrolls.
  function wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(1.01 ** event.deltaY, onMap(placeOf(event)));
  }

  /** Return where on the map a place of the window is. */
  function onMap({ x, y }) {
    const { left, top, width } = root.getBoundingClientRect(),
      scale = box.w / width;
    return { x: box.x + (x - left) * scale, y: box.y + (y - top) * scale };
  }

  function showTip(event, text) {
    const { left, top, width } = stage.getBoundingClientRect();
    tip.hidden = false;
    put(tip, h("p", { class: "tip-title" }, text));
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.max(half, Math.min(event.clientX - left, width - half))}px`;
    tip.style.top = `${event.clientY - top - tip.offsetHeight - 14}px`;
  }

  return { element, draw, show };
}
