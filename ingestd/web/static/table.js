/** The events: a row for each, newest first, which expands to the whole event. */

import { columnHead, createSortChoice, isByTime, size } from "./columns.js";
import { nameOf } from "./context.js";
import { h, put } from "./dom.js";
import { number, plain, readable, readableMessage } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { levelClass, levelOf } from "./levels.js";
import { marker } from "./marks.js";
import { record, tools } from "./record.js";
import { exceptionOf, stackBlock, stackOf } from "./stack.js";
import { update } from "./state.js";
import { dayText, preciseText } from "./time.js";
import { valueAt } from "./values.js";

/** Longer messages are only shown in full when expanded. */
const LINE = 400;

/** Return `{element, show(hits, state), append(hits), prepend(hits, most), foot(...nodes), head(...nodes)}`. */
export function createTable() {
  const head = h("thead");
  const body = h("tbody");
  const foot = h("div", { class: "table-foot" });
  const extra = h("div", { class: "table-extra" });
  const traces = h("input", {
    type: "checkbox",
    class: "switch",
    role: "switch",
    on: { change: () => update({ traces: traces.checked }) },
  });
  const sort = createSortChoice();
  const took = h("span", { class: "muted took" });
  const scroll = h(
    "div",
    { class: "table-scroll" },
    h("table", { class: "log" }, h("caption", { class: "sr-only" }, t("table.title")), head, body),
  );
  const element = h(
    "section",
    { class: "card events", "aria-label": t("table.title") },
    h(
      "div",
      { class: "card-head" },
      h("h2", {}, t("table.title")),
      sort.element,
      took,
      extra,
      h("label", { class: "switch-label" }, traces, h("span", {}, t("table.traces"))),
    ),
    scroll,
    foot,
  );
  let state = null,
    mark = marker({ q: "" }),
    day = "";

  function show(hits, next) {
    state = next;
    mark = marker(state);
    traces.checked = state.traces;
    day = "";
    put(head, header(state));
    sort.show(state, hits.length);
    put(body, hits.map(rows));
  }
  const columns = () => 4 + state.cols.filter((path) => path !== "message").length;

  function rows(hit) {
    const parts = [row(hit)];
    const today = dayText(new Date(hit.event["@timestamp"]));
    if (today !== day && isByTime(state)) parts.unshift(dayRow(today));
    day = today;
    if (state.traces) {
      const stack = stackOf(hit.event);
      if (stack)
        parts.push(
          h(
            "tr",
            { class: `trace ${levelClass(levelOf(hit.event))}` },
            h("td", { colspan: columns() }, stackBlock(stack, mark)),
          ),
        );
    }
    return parts;
  }
  const dayRow = (text) => h("tr", { class: "day" }, h("th", { colspan: columns(), scope: "rowgroup" }, text));

  function row(hit) {
    const { event } = hit;
    const level = levelOf(event);
    const isCentre = Boolean(state.around) && state.around === nameOf(hit);
    const time = new Date(event["@timestamp"]);
    const open = h(
      "button",
      { type: "button", class: "open", "aria-expanded": "false", "aria-label": t("table.open") },
      icon("right", 14),
    );
    const cells = state.cols.map((path) => size(valueCell(event, path), path, state));
    if (!state.cols.includes("message")) cells.push(messageCell(event));
    const line = h(
      "tr",
      {
        class: `row ${levelClass(level)}${isCentre ? " centre" : ""}`,
        data: { id: hit.id },
        "aria-current": isCentre ? "true" : null,
      },
      h("td", { class: "cell-open" }, open),
      h(
        "td",
        { class: "cell-time" },
        Number.isNaN(time.getTime())
          ? plain(event["@timestamp"])
          : h("time", { datetime: event["@timestamp"] }, preciseText(time)),
      ),
      h("td", { class: "cell-level" }, level ? h("span", { class: "badge" }, mark(level.toUpperCase(), "level")) : null),
      cells,
    );
    let detail = null;
    function toggle() {
      if (detail) detail.remove();
      detail = detail ? null : h("tr", { class: "detail" }, h("td", { colspan: columns() }, record(hit, mark)));
      if (detail) line.after(detail);
      open.setAttribute("aria-expanded", String(Boolean(detail)));
      line.classList.toggle("opened", Boolean(detail));
    }
    line.addEventListener("click", (press) => {
      if (press.target.closest("button") !== open && press.target.closest("button, a")) return;
      if (String(getSelection()) && !getSelection().isCollapsed) return; // text is being selected
      toggle();
    });
    return line;
  }

  // The first line of the message, and the exception of its stack trace.
  function messageCell(event) {
    const text = readableMessage(plain(event.message ?? event.event?.original ?? event), event).trim();
    const stack = state.traces ? "" : stackOf(event);
    const [first, ...more] = text.split(/\s*[\r\n]\s*/);
    const line = first.length > LINE ? `${first.slice(0, LINE)}…` : first;
    return h(
      "td",
      { class: "cell-message" },
      h(
        "div",
        { class: "message" },
        mark(line, "message"),
        stack ? h("span", { class: "has-stack" }, mark(exceptionOf(stack).slice(0, 160))) : null,
        more.length && !stack ? h("span", { class: "more-lines" }, t("table.lines", { n: number(more.length) })) : null,
      ),
    );
  }

  function valueCell(event, path) {
    const value = valueAt(event, path);
    const data = { label: path };
    if (value === undefined || value === null) return h("td", { class: "cell-value", data });
    const scalar = typeof value !== "object";
    return h(
      "td",
      path === "message" ? { class: "cell-message" } : { class: "cell-value", data },
      h(
        "div",
        { class: "message" },
        mark(
          path === "message" ? readableMessage(plain(value), event) : readable(plain(value)).slice(0, LINE),
          path,
        ),
        scalar && path !== "message" ? tools(path, value) : null,
      ),
    );
  }

  return {
    element,
    show,
    append: (hits) => body.append(...hits.flatMap(rows)),
    /** Add new hits (newest first) at the top, and keep at most `most` rows. */
    prepend(hits, most) {
      const top = body.firstElementChild,
        last = day;
      day = "";
      const fresh = hits.flatMap(rows);
      if (top?.classList.contains("day") && top.textContent === day) top.remove();
      day = last || day;
      for (const node of fresh) if (node.classList.contains("row")) node.classList.add("fresh");
      body.prepend(...fresh);
      const all = body.querySelectorAll("tr.row");
      if (all.length > most) while (body.lastElementChild !== all[most - 1]) body.lastElementChild.remove();
    },
    foot: (...nodes) => put(foot, nodes),
    extra: (...nodes) => put(extra, nodes),
    took: (ms) => (took.textContent = ms === null ? "" : t("table.took", { ms: Math.round(ms) })),
  };
}

function header(state) {
  return h(
    "tr",
    {},
    h("th", { class: "cell-open" }, h("span", { class: "sr-only" }, t("table.open"))),
    h("th", { scope: "col", class: "cell-time" }, t("table.time")),
    h("th", { scope: "col", class: "cell-level" }, t("table.level")),
    state.cols.map((path) => columnHead(path, state)),
    state.cols.includes("message") ? null : h("th", { scope: "col", class: "cell-message" }, t("table.message")),
  );
}
