/** Why an event came out so: each step of the running config, and what it changed. */

import { ApiError, ask } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./i18n.js";
import { markedJson, markedValue } from "./marks.js";

/** Longer values are cut. */
const LONG = 300;

/** Return `{element, load()}` of a hit; `load` asks the server once. `mark(text, path)`: marks the matches of the query. */
export function createTrace(hit, mark) {
  const element = h("div", { class: "steps", hidden: true, tabindex: "0", role: "group", "aria-label": t("record.trace") });
  let asked = false;
  async function load() {
    if (asked) return;
    asked = true;
    put(element, h("p", { class: "muted" }, t("trace.loading")));
    try {
      const time = hit.event["@timestamp"];
      const { pipelines } = await ask("trace", { index: hit.index, id: hit.id, time });
      put(element, pipelines.map((pipeline) => whole(pipeline, pipelines.length > 1, mark)));
    } catch (error) {
      asked = false;
      const text = (error instanceof ApiError && error.message) || t("error.other");
      put(element, h("p", { role: "alert" }, text));
    }
  }
  return { element, load };
}

function whole({ name, input, error, traces = [] }, named, mark) {
  const from = input ? t("trace.record", { input }) : t("trace.document");
  return [
    named ? h("h3", {}, name) : null,
    error ? h("pre", { class: "code" }, error) : h("p", { class: "muted small" }, from),
    traces.map((trace) => [steps(trace, mark), outcome(trace.results, mark)]),
  ];
}

function steps({ steps: found, results }, mark) {
  const several = results.length > 1 || found.some(({ copies }) => copies);
  const head = ["trace.place", "trace.step", "trace.result", "trace.time"];
  return h(
    "table",
    { class: "steps-table" },
    h("thead", {}, h("tr", {}, head.map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, found.map((step) => row(step, several, mark))),
  );
}

function row(step, several, mark) {
  const isTest = step.type === "condition";
  const place = `${step.file.split("/").pop()}:${step.line}`;
  const name = isTest ? `if ${step.condition}` : step.plugin + (step.id === step.plugin ? "" : ` (${step.id})`);
  return h(
    "tr",
    {},
    h("td", { title: `${step.file}:${step.line}:${step.column}` }, place),
    h("td", {}, several ? h("span", { class: "muted" }, `${t("trace.event", { n: step.number })} `) : null, name),
    h("td", {}, (isTest ? tested(step, mark) : filtered(step, mark)).map((line) => h("div", {}, line))),
    h("td", {}, isTest ? "" : t("trace.us", { n: Math.round(step.microseconds) })),
  );
}

function tested({ value, fields, missing }, mark) {
  return [
    h("b", {}, t(value ? "trace.true" : "trace.false")),
    ...Object.entries(fields).map(([name, held]) => [`${name} = `, shown(held, name, mark)]),
    ...missing.map((name) => t("trace.missing", { name })),
  ];
}

function filtered({ details, changes, error, copies, dropped }, mark) {
  const lines = [
    ...details.map((text) => h("span", { class: "muted" }, text)),
    ...(error ? [h("b", {}, t("trace.failed", { error }))] : []),
    ...changes.map((one) => change(one, mark)),
    ...(copies ? [t("trace.copies", { numbers: copies.join(", ") })] : []),
    ...(dropped ? [h("b", {}, t("trace.dropped"))] : []),
  ];
  return changes.length || copies || dropped || error ? lines : [...lines, t("trace.same")];
}

function change({ field, before, after }, mark) {
  const text = (value) => shown(value, field, mark);
  if (before === undefined) return [`+ ${field} = `, text(after)];
  if (after === undefined) return [`− ${field} (`, text(before), ")"];
  return [`~ ${field} = `, text(after), " (", text(before), ")"];
}

function outcome(results, mark) {
  if (!results.length) return h("p", {}, t("trace.none"));
  return results.map(({ number, document, outputs }) => [
    h(
      "p",
      {},
      results.length > 1 ? `${t("trace.event", { n: number })} ` : "",
      outputs.length ? t("trace.outputs", { outputs: outputs.map(output).join("; ") }) : t("trace.nowhere"),
    ),
    h("pre", { class: "json", tabindex: "0", role: "group", "aria-label": t("trace.result") }, markedJson(document, mark)),
  ]);
}

const output = ({ id, index, document_id, path, rejected }) => [id, index, document_id, path, rejected].filter(Boolean).join(" · ");

/** Return the value of a field, `message` or `[geoip][ip]`, as JSON with its matches marked. */
function shown(value, field, mark) {
  const path = field.replace(/^\[|\]$/g, "").replaceAll("][", ".");
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const cut = text.length > LONG ? `${text.slice(0, LONG)}…` : text;
  return typeof value === "string" ? markedValue(cut, mark, path) : mark(cut, path);
}
