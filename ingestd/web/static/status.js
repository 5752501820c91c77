/** The page "Status": are events received and stored, and do the counts add up? */

import { actionLog } from "./action_log.js";
import { aborted, ask, isAway, serverNow } from "./api.js";
import { card, sum, table } from "./cards.js";
import { h, put } from "./dom.js";
import { bytes, duration, number, rate } from "./format.js";
import { has, t } from "./i18n.js";
import { icon } from "./icons.js";
import { askIndices, createIndices } from "./indices.js";
import { failure } from "./notices.js";
import { sparkline } from "./sparkline.js";
import { inputText } from "./time.js";

const EVERY_MS = 5000,
  OLD_MS = 30000,
  KEPT = 60,
  ACTIONS = 20;

/** Return `{element, load(question, signal), stop()}`. `onLoaded()`: there are new figures. */
export function createStatus({ onLoaded }) {
  // The card of the indices is updated, never recreated: it may hold typed text or a running action.
  const indices = createIndices();
  const above = h("div", { class: "status-part" });
  const below = h("div", { class: "status-part" });
  const element = h("div", { class: "status-page" }, above, indices.element, below);
  const history = { received: [], delivered: [] };
  let timer = 0,
    running = null;

  async function load(_question, signal) {
    clearTimeout(timer);
    running = signal;
    try {
      const [status, found, { actions }] = await Promise.all([
        ask("status", {}, signal),
        askIndices(signal),
        ask("action_log", { limit: ACTIONS }, signal),
      ]);
      keep(history.received, status.rates?.received_per_s ?? 0);
      keep(history.delivered, status.rates?.delivered_per_s ?? 0);
      put(above, page(status, history));
      indices.show(found);
      put(below, actionLog(actions), facts(status));
      onLoaded();
    } catch (error) {
      if (aborted(error)) return;
      if (!isAway(error)) {
        put(
          above,
          failure(error, () => load(null, signal)),
        );
        indices.hide();
        put(below);
      }
    }
    if (running === signal && !signal.aborted) timer = setTimeout(again, EVERY_MS, signal);
  }
  function again(signal) {
    if (signal.aborted || !element.isConnected) return;
    // Replacing the page would lose the selection or the focus.
    if (document.hidden || element.contains(document.activeElement) || !getSelection().isCollapsed)
      timer = setTimeout(again, EVERY_MS, signal);
    else load(null, signal);
  }
  function stop() {
    clearTimeout(timer);
    indices.stop();
  }
  return { element, load, stop };
}

function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.shift();
}

function page(status, history) {
  return [
    h(
      "div",
      { class: "tiles" },
      rateTile(t("status.received"), history.received),
      rateTile(t("status.delivered"), history.delivered),
      tile(
        t("status.queue"),
        number(status.queue?.events ?? 0),
        h("p", { class: "muted" }, bytes(status.queue?.bytes ?? 0)),
      ),
      deadLettersTile(status),
      workersTile(status.workers ?? {}),
      tile(
        t("status.health"),
        t(status.health?.ready === false ? "status.notready" : "status.ready"),
        healthText(status.health),
        status.health?.ready === false ? "bad" : "good",
      ),
    ),
    (status.problems ?? []).map((text) => h("p", { class: "notice notice-error" }, icon("alert"), text)),
    (status.senders ?? []).map(sender),
    audit(status.audit, asOf(status, "audit")),
    inputs(status.pipelines ?? []),
    isCounting(status, "dead_letters") ? null : deadLetters(status.dead_letters ?? []),
  ];
}

const tile = (name, value, below, mood = "") =>
  h("div", { class: `card tile ${mood}` }, h("h2", {}, name), h("p", { class: "tile-value" }, value), below);

const isCounting = (status, name) => Boolean(status.counting?.includes(name));

/** Return a note if something is being counted for the first time, or was counted a while ago. */
function asOf(status, name) {
  if (isCounting(status, name)) return h("p", { class: "muted" }, t("status.counting"));
  const time = new Date(status.counted?.[name] ?? NaN);
  return serverNow() - time > OLD_MS ? h("p", { class: "muted" }, t("status.asof", { time: inputText(time) })) : null;
}

function deadLettersTile(status) {
  const counting = isCounting(status, "dead_letters");
  const count = sum(status.dead_letters ?? [], "count");
  const mood = count ? "bad" : "good";
  return tile(t("status.dead"), counting ? "–" : number(count), asOf(status, "dead_letters"), counting ? "" : mood);
}

function workersTile({ running = 0, replacing = 0, wanted = 0 }) {
  const note = replacing ? h("p", { class: "muted" }, t("status.workers.replacing", { n: replacing })) : null;
  const mood = running + replacing < wanted ? "bad" : "";
  return tile(t("status.workers"), t("status.workers.text", { running, wanted }), note, mood);
}

/** Return the tile of a rate, with a chart of its last values; the newest one is always at the right. */
function rateTile(name, values) {
  const last = t("status.persecond", { n: rate(values.at(-1)) });
  return tile(name, last, sparkline([...Array(KEPT - values.length).fill(0), ...values], name));
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

/** A kind of client that an input cannot read: what it is, and what to do. */
function sender(row) {
  const where = `${row.pipeline} · ${row.input}`;
  return h(
    "div",
    { class: "notice" },
    icon("alert"),
    h(
      "div",
      {},
      h("b", {}, t("sender.title", { n: number(row.connections), what: t(`sender.${row.kind}`), where })),
      h("p", { class: "muted" }, t(`sender.${row.kind}.help`)),
    ),
  );
}

function audit(found, age) {
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
    age && h("div", { class: "card-text" }, age),
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
            [t("status.stage"), "", (row) => (has(`stage.${row.stage}`) ? t(`stage.${row.stage}`) : (row.stage ?? ""))],
            [t("status.count"), "num", (row) => number(row.count)],
          ],
          rows,
        )
      : h("p", { class: "muted card-text" }, t("status.nodead")),
  );
}

function facts(status) {
  const geoip = status.geoip?.database
    ? [
        h("span", {}, status.geoip.date ? t("status.geoip.date", { date: status.geoip.date }) : status.geoip.database),
        status.geoip.attribution ? h("p", { class: "muted" }, status.geoip.attribution) : null,
      ]
    : [h("p", {}, t("status.geoip.none")), h("pre", { class: "code" }, status.geoip?.install ?? "")];
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
