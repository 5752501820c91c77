/** Views: the state of the page under a name, for all who use it: those that are built in, and those of the data folder. */

import { ask, order } from "./api.js";
import { copy, h, popup, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText } from "./notices.js";
import { current, format, parse, update } from "./state.js";

/** Icons of the views that are built in. */
const GLYPHS = { words: "trend", problems: "alert", server: "pulse", visitors: "globe" };

/** Return what a view is called: those that are built in have a name in each language. */
const titleOf = ({ name, built_in: key }) => (key ? t(`quick.${key}`) : name);

const TIME = /(^|&)(range|from)=/;

/** Return the state that a view leads to; the time, the zone and the refresh stay as they are if it names none. */
function opened(view) {
  const named = parse(view.state);
  const { range, from, to, zone, every } = current();
  const time = TIME.test(view.state) ? {} : { range, from, to };
  return { ...named, ...time, zone: named.zone || zone, every: named.every || every };
}

/** Return what is saved of the page: all of its state but the live tail, with a time. */
function kept() {
  const state = format({ ...current(), live: false });
  return TIME.test(state) ? state : `${state}&range=${current().range}`.replace(/^&/, "");
}

/**
 * Return `{element, menu, show()}`: a link for each view, and after them `last`; a button to save, share and delete
 * views.
 */
export function createViews(last) {
  const list = h("span", { class: "views" });
  const button = h(
    "button",
    { class: "quick", type: "button", data: { views: "" } },
    icon("bookmark", 14),
    h("span", {}, t("views.title")),
  );
  const menu = popup({ button, label: t("views.title"), content });
  const element = h("div", { class: "quicks", role: "group", "aria-label": t("quick.label") }, list, last);
  let views = [],
    links = [],
    asking = null;

  function become(answer) {
    ({ views } = answer);
    links = views.map(link);
    put(list, links);
  }
  function show() {
    if (!views.length) load();
    for (const each of links) each.point();
  }
  function content(close) {
    const name = h("input", { class: "input", name: "name", maxlength: 80, required: true, autocomplete: "off" });
    const problem = h("p", { class: "form-error", role: "alert" });
    const saved = h("ul", { class: "view-list" });
    const send = async (path, body) => {
      try {
        become(await order(path, body));
        problem.textContent = "";
        return true;
      } catch (error) {
        problem.textContent = failureText(error);
        return false;
      }
    };
    const rows = () =>
      put(
        saved,
        views.map((view) => row(view, async () => (await send("views/delete", { name: view.name })) && rows())),
      );
    rows();
    load().then(rows);
    const form = h(
      "form",
      { class: "view-form" },
      h("label", {}, h("span", {}, t("views.name")), name),
      h("button", { class: "button primary", type: "submit" }, t("views.save")),
      problem,
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const typed = name.value.trim();
      if (views.some((view) => view.built_in && titleOf(view) === typed)) problem.textContent = t("views.builtin", { name: typed });
      else if (await send("views", { name: typed, state: kept() })) close();
    });
    return h("div", { class: "view-menu" }, h("p", { class: "popup-title" }, t("views.keep")), form, saved);
  }
  const load = () => (asking ??= read().finally(() => (asking = null)));
  async function read() {
    try {
      become(await ask("views"));
    } catch {
      // The page is useful without them; they are asked for again, and the menu says why saving fails.
    }
  }
  return { element, menu, show };
}

function row(view, remove) {
  const name = titleOf(view);
  const share = h(
    "button",
    { class: "ghost small", type: "button", "aria-label": `${t("views.copy")}: ${name}` },
    icon("copy", 14),
    h("span", { data: { label: "" } }, t("views.copy")),
  );
  const address = new URL(`#${view.state}`, location.href).href;
  share.addEventListener("click", () => copy(address, share, t("record.copied")));
  const out = h(
    "button",
    { class: "ghost square small", type: "button", "aria-label": `${t("views.delete")}: ${name}`, on: { click: remove } },
    icon("close", 14),
  );
  return h("li", {}, h("span", { class: "view-name", title: name }, name), share, view.built_in ? null : out);
}

/** Return a link to a view; `point()` lets it lead there from what the page shows now. */
function link(view) {
  const element = h(
    "a",
    { class: "quick", data: view.built_in ? { quick: view.built_in } : { view: view.name } },
    icon(GLYPHS[view.built_in] ?? "bookmark", 14),
    h("span", { class: "view-name" }, titleOf(view)),
  );
  element.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    update(opened(view));
  });
  element.point = () => {
    const hash = format(opened(view));
    element.href = `#${hash}`;
    if (hash === format(current())) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  };
  element.point();
  return element;
}
