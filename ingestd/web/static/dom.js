/** Creates elements. Data only becomes text nodes and attributes: nothing here parses HTML. */

const SVG = "http://www.w3.org/2000/svg";
/** How near a panel comes to the edge of the window, in px. */
const EDGE = 8;

/**
 * Return an element.
 *
 * `props`: `class`; `on`: handlers by event; `data`: data-* attributes; everything else is an attribute, where
 * `true` is an empty one and `null`, `undefined` and `false` omit it (except aria-*, which takes them as words).
 * Children: nodes, strings and numbers; `null` and `false` are omitted, arrays are flattened.
 */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Return an SVG element. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (value !== null && value !== undefined && (value !== false || name.startsWith("aria-"))) {
      element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
    }
  }
  element.append(...kept(children));
  return element;
}

/**
 * Replace the content of `element` with `children`.
 *
 * Keyboard users keep their focus: it moves to the element with the same `data-key`, or else the same text.
 */
export function put(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  element.replaceChildren(...kept(children));
  if (!focused || focused === document.activeElement) return element;
  const same = focused.isConnected
    ? focused // it was put in again
    : [...element.querySelectorAll(focused.localName)].find((other) => keyOf(other) === keyOf(focused));
  same?.focus({ preventScroll: true });
  return element;
}

const kept = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

const keyOf = (element) => element.dataset.key ?? element.textContent;

/**
 * Return the content of a control whose name for screen readers says more than is seen: `sentence` is the name,
 * with HERE where the visible `content` is.
 */
export function named(sentence, ...content) {
  const [before, after] = sentence.split(HERE);
  const unseen = (text) => (text ? h("span", { class: "sr-only" }, text) : null);
  return [unseen(before), content, unseen(after)];
}

export const HERE = "\u0000";

/** Announce a text to screen readers. */
export function announce(text) {
  let region = document.getElementById("announcer");
  if (!region) {
    region = h("div", { id: "announcer", class: "sr-only", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  region.textContent = text;
}

/** Copy `text`, and confirm it on the button for a moment. */
export async function copy(text, button, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without HTTPS only the legacy clipboard API is available.
    const area = h("textarea", { class: "sr-only", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = button.querySelector("[data-label]") ?? button;
  announce(done);
  if (label.textContent === done) return; // pressed again meanwhile
  const before = label.textContent;
  label.textContent = done;
  setTimeout(() => (label.textContent = before), 1600);
}

/** Move a panel sideways by as much as it reaches beyond the window. */
function keepInWindow(panel) {
  panel.style.translate = "";
  const { left, right } = panel.getBoundingClientRect();
  const most = document.documentElement.clientWidth - EDGE;
  const shift = Math.max(Math.min(0, most - right), EDGE - left);
  if (shift) panel.style.translate = `${shift}px`;
}

/**
 * A button that opens a panel below it; Escape and a click elsewhere close it.
 *
 * `content(close)` creates the panel's content each time it opens. Returns the element with both.
 */
export function popup({ button, label, content, align = "left" }) {
  const panel = h("div", { class: `popup popup-${align}`, role: "dialog", "aria-label": label, hidden: true });
  const root = h("div", { class: "popup-root" }, button, panel);
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-expanded", "false");
  const outside = (event) => root.contains(event.target) || close(false);
  const fit = () => keepInWindow(panel);
  function close(focus = true) {
    if (panel.hidden) return;
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
    removeEventListener("resize", fit);
    if (focus) button.focus();
  }
  button.addEventListener("click", () => {
    if (!panel.hidden) return close();
    put(panel, content(close));
    panel.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside);
    addEventListener("resize", fit);
    fit();
    panel.querySelector("[autofocus], button, input, a[href]")?.focus();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      event.stopPropagation();
      close();
    }
  });
  root.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !root.contains(event.relatedTarget)) close(false);
  });
  return root;
}
