/** The query box: Enter runs the query, errors are marked in it; completions and recent queries are suggested. */

import { createCompletion } from "./completion.js";
import { h, put } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failureText, hintText } from "./notices.js";
import { current, update } from "./state.js";

const KEY = "ingestd.recent",
  MOST = 12;

function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((text) => typeof text === "string") : [];
  } catch {
    return [];
  }
}

function keep(list) {
  try {
    localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
  } catch {
    // Without storage there is no history.
  }
}

/** Return `{element, show(state), fault(error, shift)}`; `again()` is called when the same query is submitted again. */
export function createSearchbar({ again }) {
  const input = h("input", {
    class: "query",
    type: "text",
    name: "q",
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    placeholder: t("search.placeholder"),
    "aria-label": t("search.label"),
    "aria-describedby": "query-error query-help",
    "aria-expanded": "false",
    "aria-controls": "query-recent",
    "aria-autocomplete": "list",
  });
  const clear = h(
    "button",
    { class: "ghost square clear", type: "button", "aria-label": t("search.clear"), hidden: true },
    icon("close"),
  );
  const list = h("ul", { id: "query-recent", role: "listbox", "aria-label": t("search.suggestions") });
  const help = h("p", { class: "help", id: "query-help" }, t("search.syntax"));
  const box = h("div", { class: "recent", hidden: true }, list, help);
  const error = h("div", { class: "query-error", id: "query-error", role: "alert", hidden: true });
  const form = h(
    "form",
    { class: "search", role: "search" },
    h("span", { class: "search-icon" }, icon("search", 18)),
    input,
    clear,
    box,
  );
  const element = h("div", { class: "searchbar" }, form, error);
  const complete = createCompletion();
  let marked = -1,
    shown = "",
    composing = false,
    completions = [];

  function run(text) {
    hide();
    const trimmed = text.trim();
    input.value = trimmed;
    if (trimmed) keep([trimmed, ...recent().filter((other) => other !== trimmed)]);
    if (trimmed === current().q) again();
    else update({ q: trimmed });
  }
  /** Return what the list offers: completions, then recent queries. */
  function options() {
    const typed = input.value.trim().toLowerCase();
    const earlier = recent()
      .filter((text) => text.toLowerCase().includes(typed) && text !== input.value.trim())
      .slice(0, completions.length ? 3 : 8);
    return [...completions, ...earlier.map((text) => ({ kind: "recent", text }))];
  }
  function choose(option) {
    if (composing) {
      input.blur(); // ends the syllable that is being composed, which would be added to what is chosen
      input.focus();
    }
    if (option.kind === "recent") return run(option.text);
    const rest = input.value.slice(input.selectionStart);
    const head = input.value.slice(0, option.start) + option.insert;
    input.value = head + (option.insert.endsWith(" ") ? rest.trimStart() : rest);
    input.setSelectionRange(head.length, head.length);
    clear.hidden = false;
    suggest();
  }
  async function suggest() {
    completions = [];
    show();
    const found = await complete(input.value, input.selectionStart);
    if (!found || box.hidden || marked >= 0) return; // the list does not change below a choice
    completions = found;
    show();
  }
  function show(mark = -1) {
    const found = options();
    marked = found.length ? Math.max(-1, Math.min(mark, found.length - 1)) : -1;
    put(list, found.map(item));
    list.hidden = found.length === 0;
    box.hidden = false;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (marked >= 0) {
      input.setAttribute("aria-activedescendant", `option-${marked}`);
      list.children[marked].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }
  function item(option, place) {
    const kind = option.kind === "recent" ? "" : t(`search.${option.kind}`);
    return h(
      "li",
      {
        role: "option",
        id: `option-${place}`,
        "aria-selected": String(place === marked),
        class: place === marked ? "marked" : null,
        data: { kind: option.kind },
        // pointerdown comes before the input loses the focus
        on: {
          pointerdown: (event) => {
            event.preventDefault();
            choose(option);
          },
        },
      },
      option.kind === "recent" ? icon("clock", 14) : null,
      h("span", { class: "option-text" }, option.text),
      kind && h("span", { class: "option-kind" }, option.count ? number(option.count) : kind),
    );
  }
  function hide() {
    box.hidden = true;
    marked = -1;
    completions = [];
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  help.addEventListener("pointerdown", (event) => event.preventDefault()); // clicking the help text must not close it
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (marked >= 0) choose(options()[marked]);
    else run(input.value);
  });
  input.addEventListener("input", () => {
    clear.hidden = !input.value;
    suggest();
  });
  for (const [name, now] of [
    ["compositionstart", true],
    ["compositionend", false],
  ])
    input.addEventListener(name, () => (composing = now));
  input.addEventListener("focus", () => input.value || show());
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    // A Hangul syllable is still being composed; Safari says so by the code alone.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "ArrowDown") show(marked + 1);
    else if (event.key === "ArrowUp" && marked >= 0) show(marked - 1);
    else if (event.key === "Escape" && !box.hidden) {
      hide();
      event.preventDefault();
    } else if (event.key === "Enter") {
      event.preventDefault();
      form.requestSubmit();
    } else return;
    if (event.key.startsWith("Arrow")) event.preventDefault();
  });
  clear.addEventListener("click", () => {
    input.value = "";
    clear.hidden = true;
    run("");
    input.focus();
  });

  return {
    element,
    show(state) {
      // Text that is being typed stays while something else is clicked.
      if (state.q !== shown) input.value = shown = state.q;
      clear.hidden = !input.value;
    },
    focus: () => input.focus(),
    /** Show the error in the query and mark its position; null: there is none. */
    fault(problem, shift = 0) {
      error.hidden = !problem;
      input.setAttribute("aria-invalid", String(Boolean(problem)));
      if (!problem) return put(error);
      const column = (problem.column ?? 0) - shift;
      const chars = [...input.value]; // an emoji is one character to the server
      const part = (from, to) => chars.slice(from, to).join("");
      const end = column - 1 + Math.max(1, problem.length ?? 1);
      const marks =
        column >= 1 && column <= chars.length + 1
          ? h(
              "pre",
              { class: "query-mark" },
              part(0, column - 1),
              h("mark", {}, part(column - 1, end) || " "),
              part(end),
            )
          : null;
      const hint = hintText(problem);
      return put(
        error,
        h(
          "p",
          {},
          icon("alert"),
          h("span", {}, failureText(problem)),
          hint ? h("span", { class: "hint" }, hint) : null,
        ),
        marks,
      );
    },
  };
}
