/** A panel with the most frequent values of a field: click one to include or exclude it. */

import { aborted, ask, isAway } from "./api.js";
import { HERE, h, named, put } from "./dom.js";
import { compact, cut, number, readable } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { levelClass } from "./levels.js";
import { failureText } from "./notices.js";
import { isFilterable, joined } from "./query.js";
import { addFilter } from "./state.js";

const FEW = 7,
  MANY = 50;

/**
 * Return `{element, load(question, signal), show({field, values})}`.
 *
 * `fields`: alternative names; the first that has values is shown (`request_path`, else ECS's `url.path`).
 * `onPick(field, value)`: what a click does instead of filtering.
 * `onClose`: adds a close button. `paths`: the values are paths; those that differ in their query string count as one,
 * and filters are made with `path`.
 */
export function createTop({ title, fields, kind = "", onPick = null, onClose = null, more = [], paths = false }) {
  const list = h("ol", { class: "top-list" });
  const toggle = h("button", { class: "ghost small", type: "button", hidden: true });
  const close =
    onClose &&
    h(
      "button",
      {
        class: "ghost square small",
        type: "button",
        "aria-label": `${t("top.close")}: ${title}`,
        on: { click: onClose },
      },
      icon("close", 14),
    );
  const element = h(
    "section",
    { class: `card top ${kind}`, "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), toggle, close),
    list,
  );
  let many = false,
    asked = null,
    loads = 0, // they are numbered: answers may arrive in another order
    known = null;

  async function load(question, signal) {
    asked = question;
    const turn = ++loads;
    element.setAttribute("aria-busy", "true");
    try {
      const answer = await first(question, signal);
      if (turn !== loads) return;
      known = answer.values.length ? answer.field : null;
      show(answer);
    } catch (error) {
      // An invalid query is reported below the query box, a server that is away over the view.
      if (turn === loads && !aborted(error) && error.status !== 400 && !isAway(error))
        put(list, h("li", { class: "top-none muted" }, failureText(error)));
    }
    if (turn === loads) element.removeAttribute("aria-busy");
  }

  async function first(question, signal) {
    const n = many ? MANY : FEW;
    const order = known ? [known, ...fields.filter((field) => field !== known)] : fields;
    let answer = { field: order[0], values: [] };
    for (const field of order) {
      answer = await ask(
        "top",
        {
          field,
          n,
          paths: paths ? 1 : null,
          q: joined(question.q, more),
          since: question.since,
          until: question.until,
        },
        signal,
      );
      if (answer.values.length) break;
    }
    return answer;
  }

  function show({ field, values }) {
    const most = values[0]?.count ?? 0;
    toggle.hidden = !asked || (!many && values.length < FEW);
    toggle.textContent = many ? t("top.less") : t("top.more");
    element.classList.toggle("many", many);
    put(
      list,
      values.length
        ? values.map((entry) => row(field, entry, most))
        : h("li", { class: "top-none muted" }, t("top.none")),
    );
  }

  function row(field, { value, count }, most) {
    const bar = h("span", {
      class: `top-bar ${kind === "levels" ? levelClass(value) : kind === "status" ? `st-${String(value)[0]}` : ""}`,
    });
    bar.style.width = `${(100 * count) / most}%`;
    const text = cut(String(value));
    const shown = cut(readable(String(value)));
    const disabled = !isFilterable(value);
    const pick = () => (onPick ? onPick(field, value) : addFilter(field, value, { path: paths }));
    return h(
      "li",
      { class: "top-row" },
      h(
        "button",
        {
          class: "top-pick",
          data: { key: `in ${text}` },
          type: "button",
          title: `${text} · ${number(count)}`,
          disabled,
          on: { click: pick },
        },
        bar,
        named(t("top.in", { field: title, value: HERE }), h("span", { class: "top-value" }, shown)),
        " ",
        h("span", { class: "top-count" }, compact(count)),
      ),
      onPick
        ? null
        : h(
            "button",
            {
              class: "top-out",
              data: { key: `out ${text}` },
              type: "button",
              "aria-label": t("top.out", { field: title, value: shown }),
              title: t("top.out", { field: title, value: shown }),
              disabled,
              on: { click: () => addFilter(field, value, { not: true, path: paths }) },
            },
            icon("minus", 14),
          ),
    );
  }

  toggle.addEventListener("click", () => {
    many = !many;
    load(asked);
  });
  return { element, load, show };
}
