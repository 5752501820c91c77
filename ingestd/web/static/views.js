/** Saved views: the state of the page under a name, in the data folder, for all who use it; and the quick ones. */

import { ask, order } from "./api.js";
import { copy, h, popup, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText } from "./notices.js";
import { current, format, parse, update } from "./state.js";

const NOTHING = { q: "", filters: [], level: "", traces: false, live: false, problem: "", word: "", find: "" };
/** The views that are always there; what they do not name stays. */
const QUICK = {
  words: ["trend", { ...NOTHING, tab: "words", range: "30d", from: "", to: "" }],
  problems: ["alert", { ...NOTHING, tab: "logs", level: "WARNING", traces: true }],
  server: ["pulse", { ...NOTHING, tab: "logs", q: "status_code:[500 TO 599]" }],
  visitors: ["globe", { ...NOTHING, tab: "visitors" }],
};

/** What a view keeps: all of the state but the live tail. */
const kept = () => format({ ...current(), live: false });

/**
 * Return `{element, menu, show()}`: a link for each view, and after them `last`; a button to save, share and delete
 * views.
 */
export function createViews(last) {
  const quick = Object.entries(QUICK).map(([name, [glyph, change]]) =>
    link(t(`quick.${name}`), glyph, () => ({ ...current(), around: "", ...change }), { quick: name }),
  );
  const saved = h("span", { class: "views" });
  const button = h(
    "button",
    { class: "quick", type: "button", data: { views: "" } },
    icon("bookmark", 14),
    h("span", {}, t("views.title")),
  );
  const menu = popup({ button, label: t("views.title"), content });
  const element = h("div", { class: "quicks", role: "group", "aria-label": t("quick.label") }, quick, saved, last);
  let views = [],
    links = quick;

  function become(answer) {
    ({ views } = answer);
    const own = views.map(({ name, state }) => link(name, "bookmark", () => parse(state), { view: name }));
    links = [...quick, ...own];
    put(saved, own);
    show();
  }
  function show() {
    for (const each of links) each.point();
  }
  function content(close) {
    const name = h("input", { class: "input", name: "name", maxlength: 80, required: true, autocomplete: "off" });
    const problem = h("p", { class: "form-error", role: "alert" });
    const list = h("ul", { class: "view-list" });
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
        list,
        views.map(({ name: own, state }) => row(own, state, async () => (await send("views/delete", { name: own })) && rows())),
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
      if (await send("views", { name: name.value.trim(), state: kept() })) close();
    });
    return h("div", { class: "view-menu" }, h("p", { class: "popup-title" }, t("views.keep")), form, list);
  }
  async function load() {
    try {
      become(await ask("views"));
    } catch {
      // The page is useful without them, and the menu says why saving fails.
    }
  }
  load();
  return { element, menu, show };
}

function row(name, state, remove) {
  const share = h(
    "button",
    { class: "ghost small", type: "button", "aria-label": `${t("views.copy")}: ${name}` },
    icon("copy", 14),
    h("span", { data: { label: "" } }, t("views.copy")),
  );
  const address = new URL(`#${state}`, location.href).href;
  share.addEventListener("click", () => copy(address, share, t("record.copied")));
  return h(
    "li",
    {},
    h("span", { class: "view-name", title: name }, name),
    share,
    h(
      "button",
      { class: "ghost square small", type: "button", "aria-label": `${t("views.delete")}: ${name}`, on: { click: remove } },
      icon("close", 14),
    ),
  );
}

/** Return a link to the state that `become()` returns; `point()` lets it lead there. */
function link(text, glyph, become, data) {
  const element = h("a", { class: "quick", data }, icon(glyph, 14), h("span", { class: "view-name" }, text));
  element.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    update(become());
  });
  element.point = () => {
    const hash = format(become());
    element.href = `#${hash}`;
    if (hash === format(current())) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  };
  element.point();
  return element;
}
