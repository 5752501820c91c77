/** The page "Status": is everything coming in, being stored, and adding up? */

import { aborted, ask } from "./api.js";
import { h, put, svg } from "./dom.js";
import { bytes, compact, duration, number, rate } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failure } from "./notices.js";
import { daysText, inputText } from "./time.js";

const EVERY_MS = 5000,
  KEPT = 60;

/** Return `{element, load(question, signal), stop()}`. */
export function createStatus() {
  const element = h("div", { class: "status-page" });
  const history = { received: [], delivered: [] };
  let timer = 0,
    running = null;

  async function load(_question, signal) {
    clearTimeout(timer);
    running = signal;
    try {
      const [status, { indices }] = await Promise.all([ask("status", {}, signal), ask("indices", {}, signal)]);
      keep(history.received, status.rates?.received_per_s ?? 0);
      keep(history.delivered, status.rates?.delivered_per_s ?? 0);
      put(element, page(status, indices, history));
    } catch (error) {
      if (aborted(error)) return;
      put(
        element,
        failure(error, () => load(null, signal)),
      );
    }
    if (running === signal && !signal.aborted) timer = setTimeout(again, EVERY_MS, signal);
  }
  function again(signal) {
    if (signal.aborted || !element.isConnected) return;
    // Replacing the page under a reader who selects text or uses the keyboard would take it away.
    if (document.hidden || element.contains(document.activeElement) || !getSelection().isCollapsed)
      timer = setTimeout(again, EVERY_MS, signal);
    else load(null, signal);
  }
  return { element, load, stop: () => clearTimeout(timer) };
}

function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.shift();
}

function page(status, indices, history) {
  return [
    h(
      "div",
      { class: "tiles" },
      tile(t("status.received"), t("status.persecond", { n: rate(history.received.at(-1)) }), spark(history.received)),
      tile(
        t("status.delivered"),
        t("status.persecond", { n: rate(history.delivered.at(-1)) }),
        spark(history.delivered),
      ),
      tile(
        t("status.queue"),
        number(status.queue?.events ?? 0),
        h("p", { class: "muted" }, bytes(status.queue?.bytes ?? 0)),
      ),
      tile(
        t("status.dead"),
        number(sum(status.dead_letters ?? [], "count")),
        null,
        sum(status.dead_letters ?? [], "count") ? "bad" : "good",
      ),
      tile(
        t("status.workers"),
        t("status.workers.text", { running: status.workers?.running ?? 0, wanted: status.workers?.wanted ?? 0 }),
        null,
        status.workers?.running < status.workers?.wanted ? "bad" : "",
      ),
      tile(
        t("status.health"),
        t(status.health?.ready === false ? "status.notready" : "status.ready"),
        healthText(status.health),
        status.health?.ready === false ? "bad" : "good",
      ),
    ),
    (status.problems ?? []).map((text) => h("p", { class: "notice notice-error" }, icon("alert"), text)),
    audit(status.audit),
    inputs(status.pipelines ?? []),
    deadLetters(status.dead_letters ?? []),
    indexTable(indices),
    facts(status),
  ];
}

const sum = (rows, name) => rows.reduce((all, row) => all + row[name], 0);

const tile = (name, value, below, mood = "") =>
  h("div", { class: `card tile ${mood}` }, h("h2", {}, name), h("p", { class: "tile-value" }, value), below);

function spark(values) {
  const most = Math.max(1, ...values);
  const points = values
    .map(
      (value, place) =>
        `${(100 * (place + KEPT - values.length)) / (KEPT - 1)},${(29 - (27 * value) / most).toFixed(1)}`,
    )
    .join(" ");
  return svg(
    "svg",
    { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polyline", { points, "vector-effect": "non-scaling-stroke" }),
  );
}

function healthText(health) {
  const reasons = health?.reasons ?? health?.problems ?? [];
  return Array.isArray(reasons) && reasons.length
    ? h(
        "ul",
        { class: "reasons" },
        reasons.map((reason) => h("li", {}, typeof reason === "string" ? reason : JSON.stringify(reason))),
      )
    : null;
}

function card(title, note, ...content) {
  return h(
    "section",
    { class: "card", "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), note),
    content,
  );
}

/** A table: `columns` are [title, class, value of a row]. */
function table(title, columns, rows) {
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "group", "aria-label": title },
    h(
      "table",
      { class: "plain" },
      h("caption", { class: "sr-only" }, title),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            columns.map(([, kind, value]) => h("td", { class: kind }, value(row))),
          ),
        ),
      ),
    ),
  );
}

function audit(found) {
  if (!found) return null;
  const parts = ["delivered", "duplicates", "dead", "dropped", "queued"];
  const term = (name) =>
    h(
      "div",
      { class: "term" },
      h("b", {}, number(found[name] ?? 0)),
      h("span", { class: "muted" }, t(`status.${name}`)),
    );
  const note = h(
    "span",
    { class: found.balanced ? "verdict good" : "verdict bad" },
    icon(found.balanced ? "check" : "alert", 14),
    t(found.balanced ? "status.balanced" : "status.unbalanced"),
  );
  return card(
    t("status.audit"),
    note,
    h(
      "div",
      { class: "audit", title: t("status.audit.text") },
      term("received"),
      h("span", { class: "sign" }, "="),
      parts.flatMap((name, place) => [place ? h("span", { class: "sign" }, "+") : null, term(name)]),
    ),
  );
}

function inputs(pipelines) {
  const rows = pipelines.flatMap((pipeline) =>
    (pipeline.inputs ?? []).map((input) => ({ pipeline: pipeline.name, ...input })),
  );
  const outputs = pipelines.flatMap((pipeline) =>
    (pipeline.outputs ?? []).map((output) => ({ pipeline: pipeline.name, ...output })),
  );
  const many = pipelines.length > 1 ? [[t("status.pipeline"), "", (row) => row.pipeline]] : [];
  return [
    card(
      t("status.inputs"),
      null,
      table(
        t("status.inputs"),
        [
          ...many,
          [t("status.name"), "", (row) => row.name],
          [t("status.kind"), "", (row) => row.kind ?? ""],
          [t("status.address"), "mono", (row) => (row.port ? `${row.host ?? ""}:${row.port}` : (row.host ?? "–"))],
          [t("status.connections"), "num", (row) => optional(row.connections)],
          [t("status.events"), "num", (row) => optional(row.events)],
          [t("status.bytes"), "num", (row) => (row.bytes === undefined || row.bytes === null ? "–" : bytes(row.bytes))],
        ],
        rows,
      ),
    ),
    outputs.length
      ? card(
          t("status.outputs"),
          null,
          table(
            t("status.outputs"),
            [
              ...many,
              [t("status.name"), "", (row) => row.name ?? ""],
              [t("status.kind"), "", (row) => row.kind ?? ""],
              [t("status.events"), "num", (row) => optional(row.events)],
            ],
            outputs,
          ),
        )
      : null,
  ];
}

const optional = (value) => (value === undefined || value === null ? "–" : number(value));

function deadLetters(rows) {
  return card(
    t("status.dead"),
    null,
    rows.length
      ? table(
          t("status.dead"),
          [
            [t("status.reason"), "", (row) => row.reason],
            [t("status.stage"), "", (row) => row.stage ?? ""],
            [t("status.count"), "num", (row) => number(row.count)],
          ],
          rows,
        )
      : h("p", { class: "muted card-text" }, t("status.nodead")),
  );
}

function indexTable(indices) {
  const rows = [...indices].sort((a, b) => (b.day ?? "").localeCompare(a.day ?? "") || b.index.localeCompare(a.index));
  const most = Math.max(1, ...rows.map((row) => row.bytes));
  const size = (row) => {
    const bar = h("span", { class: "size-bar" });
    bar.style.width = `${(64 * row.bytes) / most}px`;
    return [bar, bytes(row.bytes)];
  };
  const note = h(
    "span",
    { class: "muted" },
    `${t("status.total", { n: rows.length })} · ${t("chart.events", { n: compact(sum(rows, "events")) })} · ${bytes(sum(rows, "bytes"))}`,
  );
  return card(
    t("status.indices"),
    note,
    rows.length
      ? table(
          t("status.indices"),
          [
            [t("status.index"), "mono", (row) => row.index],
            [t("status.age"), "", (row) => (row.day ? agoDay(row.day) : "–")],
            [t("status.events"), "num", (row) => number(row.events)],
            [t("status.size"), "num", size],
            [t("status.backup"), "", (row) => (row.backup ? backupText(row.backup) : t("status.never"))],
            [
              t("status.delete"),
              "",
              (row) => (row.delete_at ? h("span", { title: row.delete_at }, agoDay(row.delete_at)) : t("status.never")),
            ],
          ],
          rows,
        )
      : h("p", { class: "muted card-text" }, t("status.noindices")),
  );
}

// Days of indices are in UTC.
const agoDay = (day) =>
  daysText(Math.round((Date.parse(day) - Date.parse(new Date().toISOString().slice(0, 10))) / 86400000));

function backupText({ repository, snapshot, verified }) {
  return h(
    "span",
    { class: "verdict good", title: `${snapshot} · ${inputText(new Date(verified))}` },
    icon("check", 14),
    repository,
  );
}

function facts(status) {
  const geoip = status.geoip?.database
    ? [
        h("span", {}, status.geoip.date ? t("status.geoip.date", { date: status.geoip.date }) : status.geoip.database),
        status.geoip.attribution ? h("p", { class: "muted" }, status.geoip.attribution) : null,
      ]
    : [h("p", {}, t("status.geoip.none")), h("pre", { class: "code" }, "ingestd geoip install FILE|URL")];
  const store = status.store === "local" ? t("status.store.local") : (status.store ?? "");
  const rows = [
    [t("status.version"), `ingestd ${status.version}`],
    [t("status.uptime"), duration(status.uptime_s ?? 0)],
    [t("status.store"), store],
    [t("status.geoip"), geoip],
  ];
  return h(
    "section",
    { class: "card facts", "aria-label": "ingestd" },
    h(
      "dl",
      {},
      rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}
