/** Why an event came out so: each step of the running config, and what it changed. */

import { ApiError, ask } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./i18n.js";

/** Longer values are cut. */
const LONG = 300;

/** Return `{element, load()}` of a hit; `load` asks the server once. */
export function createTrace(hit) {
  const element = h("div", { class: "steps", hidden: true, tabindex: "0", role: "group", "aria-label": t("record.trace") });
  let asked = false;
  async function load() {
    if (asked) return;
    asked = true;
    put(element, h("p", { class: "muted" }, t("trace.loading")));
    try {
      const time = hit.event["@timestamp"];
      const { pipelines } = await ask("trace", { index: hit.index, id: hit.id, time });
      put(element, pipelines.map((pipeline) => whole(pipeline, pipelines.length > 1)));
    } catch (error) {
      asked = false;
      const text = (error instanceof ApiError && error.message) || t("error.other");
      put(element, h("p", { role: "alert" }, text));
    }
  }
  return { element, load };
}

function whole({ name, input, error, traces = [] }, named) {
  const from = input ? t("trace.record", { input }) : t("trace.document");
  return [
    named ? h("h3", {}, name) : null,
    error ? h("pre", { class: "code" }, error) : h("p", { class: "muted small" }, from),
    traces.map((trace) => [steps(trace), outcome(trace.results)]),
  ];
}

function steps({ steps: found, results }) {
  const several = results.length > 1 || found.some(({ copies }) => copies);
  const head = ["trace.place", "trace.step", "trace.result", "trace.time"];
  return h(
    "table",
    { class: "steps-table" },
    h("thead", {}, h("tr", {}, head.map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, found.map((step) => row(step, several))),
  );
}

function row(step, several) {
  const isTest = step.type === "condition";
  const place = `${step.file.split("/").pop()}:${step.line}`;
  const name = isTest ? `if ${step.condition}` : step.plugin + (step.id === step.plugin ? "" : ` (${step.id})`);
  return h(
    "tr",
    {},
    h("td", { title: `${step.file}:${step.line}:${step.column}` }, place),
    h("td", {}, several ? h("span", { class: "muted" }, `${t("trace.event", { n: step.number })} `) : null, name),
    h("td", {}, (isTest ? tested(step) : filtered(step)).map((line) => h("div", {}, line))),
    h("td", {}, isTest ? "" : t("trace.us", { n: Math.round(step.microseconds) })),
  );
}

function tested({ value, fields, missing }) {
  return [
    h("b", {}, t(value ? "trace.true" : "trace.false")),
    ...Object.entries(fields).map(([name, held]) => `${name} = ${shown(held)}`),
    ...missing.map((name) => t("trace.missing", { name })),
  ];
}

function filtered({ details, changes, error, copies, dropped }) {
  const lines = [
    ...details.map((text) => h("span", { class: "muted" }, text)),
    ...(error ? [h("b", {}, t("trace.failed", { error }))] : []),
    ...changes.map(change),
    ...(copies ? [t("trace.copies", { numbers: copies.join(", ") })] : []),
    ...(dropped ? [h("b", {}, t("trace.dropped"))] : []),
  ];
  return changes.length || copies || dropped || error ? lines : [...lines, t("trace.same")];
}

function change({ field, before, after }) {
  if (before === undefined) return `+ ${field} = ${shown(after)}`;
  if (after === undefined) return `− ${field} (${shown(before)})`;
  return `~ ${field} = ${shown(after)} (${shown(before)})`;
}

function outcome(results) {
  if (!results.length) return h("p", {}, t("trace.none"));
  return results.map(({ number, document, outputs }) => [
    h(
      "p",
      {},
      results.length > 1 ? `${t("trace.event", { n: number })} ` : "",
      outputs.length ? t("trace.outputs", { outputs: outputs.map(output).join("; ") }) : t("trace.nowhere"),
    ),
    h("pre", { class: "json", tabindex: "0", role: "group", "aria-label": t("trace.result") }, pretty(document)),
  ]);
}

const output = ({ id, index, document_id, path, rejected }) => [id, index, document_id, path, rejected].filter(Boolean).join(" · ");

const pretty = (value) => JSON.stringify(value, null, 2);

function shown(value) {
  const text = JSON.stringify(value);
  return text.length > LONG ? `${text.slice(0, LONG)}…` : text;
}
