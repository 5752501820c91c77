/** The page "Alerts": alerts with their states, channels, history, and the form for rules of the page. */

import { createEditor, draft } from "./alert_editor.js";
import { conditionText, measuredText } from "./alert_texts.js";
import { aborted, ask, isAway, order } from "./api.js";
import { card, table } from "./cards.js";
import { confirmed } from "./confirm.js";
import { announce, h, put } from "./dom.js";
import { duration, number } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { failure, failureText } from "./notices.js";
import { compose } from "./query.js";
import { current, DEFAULTS, update } from "./state.js";
import { inputText } from "./time.js";

const LEAST_MS = 1000,
  MOST_MS = 5000,
  MUTE_S = 3600;

/** Open the form for a new rule about what the page shows now. */
export function alertOnThis() {
  const { text } = compose(current());
  update({ tab: "alerts", live: false });
  dispatchEvent(new CustomEvent("new-alert", { detail: text }));
}

/** Return `{element, load(question, signal), stop()}`. `onLoaded()`: what is shown is new. */
export function createAlerts({ onLoaded }) {
  const said = h("p", { class: "alert-said", role: "status", "aria-live": "polite", tabindex: "-1" });
  const list = h("div", { class: "status-part" });
  const editor = createEditor({
    onSaved(name) {
      say(t("alerts.saved", { name }));
      reload();
    },
  });
  const element = h("div", { class: "status-page" }, editor.element, said, list);
  let timer = 0,
    running = null,
    answer = "",
    shown = { alerts: [], channels: [], history: [] };

  addEventListener("new-alert", async ({ detail: query }) => {
    const { channels } = shown.interval_s ? shown : await ask("alerts").catch(() => shown);
    editor.open("", draft(query), channels);
  });

  async function load(_question, signal) {
    clearTimeout(timer);
    running = signal;
    try {
      shown = await ask("alerts", {}, signal);
      const found = JSON.stringify(shown);
      if (found !== answer) put(list, page());
      answer = found;
      onLoaded();
    } catch (error) {
      if (aborted(error)) return;
      if (!isAway(error)) {
        answer = "";
        put(
          list,
          failure(error, () => load(null, signal)),
        );
      }
    }
    if (running === signal && !signal.aborted) timer = setTimeout(again, pause(), signal);
  }
  function again(signal) {
    if (signal.aborted || !element.isConnected) return;
    if (document.hidden || !getSelection().isCollapsed) timer = setTimeout(again, pause(), signal);
    else load(null, signal);
  }
  const pause = () => Math.min(Math.max(1000 * (shown.interval_s ?? 60), LEAST_MS), MOST_MS);
  const reload = () => load(null, running);

  function say(text) {
    said.textContent = text;
    announce(text);
  }

  /** Send a change; whatever comes of it is said above the list. */
  async function perform(path, body, done) {
    say("");
    try {
      say(done(await order(`alerts/${path}`, body)));
    } catch (error) {
      say(t("alerts.failed", { error: error.message || failureText(error) }));
    }
    reload();
  }

  function tested({ results }) {
    const failed = Object.entries(results).filter(([, error]) => error);
    const names = Object.keys(results).join(", ");
    if (!failed.length) return t("alerts.tested", { names });
    return t("alerts.test.failed", { reasons: failed.map(([name, error]) => `${name}: ${error}`).join("; ") });
  }

  const about = (row, what) => `${encodeURIComponent(row.alert)}/${what}`;
  const test = (row) => perform(about(row, "test"), {}, tested);
  const mute = (row) =>
    perform(about(row, "mute"), { seconds: row.muted ? null : MUTE_S }, () =>
      t(row.muted ? "alerts.unmuted" : "alerts.muted.done", { name: row.alert }),
    );
  async function remove(row) {
    const text = [h("p", {}, t("alerts.delete.text"))];
    const title = t("alerts.delete.title", { name: row.alert });
    if (await confirmed({ title, text, yes: t("action.delete"), danger: true }))
      perform(about(row, "delete"), {}, () => t("alerts.deleted", { name: row.alert }));
  }
  const change = (row) => editor.open(row.alert, row.settings ?? {}, shown.channels);

  function page() {
    const create = h(
      "button",
      { class: "button small primary", type: "button", on: { click: () => editor.open("", draft(""), shown.channels) } },
      icon("plus", 14),
      t("alerts.new"),
    );
    const every = h("span", { class: "muted" }, t("alerts.every", { time: duration(Math.max(1, shown.interval_s)) }));
    return [
      card(
        t("nav.alerts"),
        [every, h("span", { class: "card-end" }, create)],
        shown.alerts.length
          ? alertTable(shown.alerts, { test, mute, change, remove })
          : h("p", { class: "muted card-text" }, t("alerts.none")),
      ),
      channelCard(shown.channels),
      historyCard(shown.history),
    ];
  }

  return {
    element,
    load,
    stop() {
      clearTimeout(timer);
      say("");
    },
  };
}

function alertTable(alerts, act) {
  const button = (row, what, label = what) =>
    h(
      "button",
      {
        class: "button small",
        type: "button",
        data: { key: `${what} ${row.alert}` },
        "aria-label": t(`alerts.${label}.label`, { name: row.alert }),
        on: { click: () => act[what](row) },
      },
      t(`alerts.${label}`),
    );
  const own = (row) => row.source === "page" && [button(row, "change"), button(row, "remove")];
  const buttons = (row) =>
    h(
      "span",
      { class: "row-buttons alert-buttons" },
      row.type && button(row, "test"),
      row.type && button(row, "mute", row.muted ? "unmute" : "mute"),
      own(row),
    );
  const title = t("nav.alerts");
  return table(
    title,
    [
      [t("alerts.name"), "", nameCell],
      [t("alerts.state"), "", stateCell],
      [t("alerts.fires"), "alert-wide", conditionCell],
      [t("alerts.now"), "alert-wide", (row) => row.error || (row.text ? measuredText(row) : "–")],
      [t("alerts.since"), "", (row) => (row.since ? inputText(new Date(row.since)) : "–")],
      [t("alerts.channels"), "", (row) => row.channels?.join(", ") || "–"],
      [t("status.actions"), "", buttons],
    ],
    alerts,
  );
}

const nameCell = (row) => [
  h("b", {}, row.alert),
  row.source === "file" && h("div", { class: "muted small" }, t("alerts.file")),
];

function stateCell(row) {
  const kinds = { firing: "bad", ok: "good" };
  const glyph = { firing: "alert", ok: "check", unknown: "alert" }[row.state] ?? "clock";
  return [
    h("span", { class: `verdict ${kinds[row.state] ?? ""}` }, icon(glyph, 14), t(`alerts.state.${row.state}`)),
    row.muted &&
      h(
        "div",
        { class: "muted small" },
        row.muted_until
          ? t("alerts.muted.until", { time: inputText(new Date(row.muted_until)) })
          : t("alerts.muted"),
      ),
  ];
}

function conditionCell(row) {
  if (!row.type) return "–";
  const show = () => update({ ...DEFAULTS, tab: "logs", q: row.query });
  return [
    h("div", {}, conditionText(row)),
    row.query &&
      h(
        "button",
        { class: "alert-query mono", type: "button", title: t("alerts.show"), on: { click: show } },
        row.query,
      ),
  ];
}

function channelCard(channels) {
  if (!channels.length) {
    return card(t("alerts.channels"), null, h("p", { class: "muted card-text" }, t("alerts.nochannels")));
  }
  const state = (row) =>
    row.error
      ? h("span", { class: "verdict bad" }, icon("alert", 14), row.error)
      : h("span", { class: "verdict good" }, icon("check", 14), t("alerts.channel.good"));
  return card(
    t("alerts.channels"),
    null,
    table(
      t("alerts.channels"),
      [
        [t("alerts.name"), "", (row) => h("b", {}, row.channel)],
        [t("status.kind"), "", (row) => row.type],
        [t("alerts.waiting"), "num", (row) => number(row.waiting)],
        [t("alerts.state"), "alert-wide", state],
      ],
      channels,
    ),
  );
}

function historyCard(history) {
  if (!history.length) return null;
  const problems = (row) =>
    row.problems.map(({ problem, title }) => h("div", { class: "muted small mono" }, title || problem));
  const missed = (row) => row.undelivered?.map((text) => h("div", { class: "verdict bad small" }, text));
  return card(
    t("alerts.history"),
    null,
    table(
      t("alerts.history"),
      [
        [t("alerts.time"), "", (row) => inputText(new Date(row.time))],
        [t("alerts.name"), "", (row) => h("b", {}, row.alert)],
        [
          t("alerts.state"),
          "",
          (row) => [
            h("span", { class: `verdict ${row.state === "firing" ? "bad" : "good"}` }, t(`alerts.state.${row.state}`)),
            row.muted && h("span", { class: "muted small" }, ` ${t("alerts.muted")}`),
          ],
        ],
        [t("alerts.what"), "alert-wide", (row) => [measuredText(row), problems(row), missed(row)]],
      ],
      history,
    ),
  );
}
