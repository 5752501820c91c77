/** Shown while the store is empty: how to send the first event. */

import { ask } from "./api.js";
import { copy, h, put } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

const EVERY_MS = 2000;
const EVERYWHERE = ["0.0.0.0", "::", "", null, undefined];

const trial = (host, port) =>
  `python3 -c 'import socket; socket.create_connection(("${host}", ${port})).sendall(b"{\\"level\\": \\"INFO\\", \\"message\\": \\"\\\\\\"GET /search?q=hello HTTP/1.1\\\\\\" 200 1\\"}\\n")'`;

/** Return `{element, stop()}`; `onFirst()` is called when there is an event. */
export function createSetup({ onFirst }) {
  const steps = h("div", { class: "steps" });
  const element = h(
    "div",
    { class: "setup" },
    h(
      "div",
      { class: "setup-head" },
      h("span", { class: "pulse", "aria-hidden": "true" }),
      h("h2", {}, t("setup.title")),
    ),
    h("p", { class: "lead" }, t("setup.text")),
    steps,
    h("p", { class: "muted", role: "status" }, t("setup.watch")),
  );
  const watching = new AbortController();
  let timer = 0;

  async function describe() {
    const status = await ask("status", {}, watching.signal);
    const inputs = status.pipelines.flatMap((pipeline) => pipeline.inputs);
    const [tcp, beats] = ["tcp", "beats"].map((kind) => inputs.find((input) => input.kind === kind && input.port));
    const input = tcp ?? beats;
    if (!input) return put(steps, h("p", { class: "notice notice-error" }, t("setup.nowhere")));
    const host = EVERYWHERE.includes(input.host) ? location.hostname : input.host;
    const ports = { port: tcp?.port, beats_port: beats?.port };
    const { recipes } = await ask("recipes", { host, ...ports }, watching.signal);
    return put(
      steps,
      h(
        "p",
        { class: "listening" },
        h("span", { class: "live-dot on" }),
        t("setup.listening", { address: `${host}:${input.port}` }),
      ),
      servers(tcp ? recipes : recipes.filter(({ name }) => name === "ingestd-django")),
      tcp ? step("", t("setup.or"), trial(host, tcp.port)) : null,
    );
  }
  async function look() {
    try {
      if (!steps.childElementCount) await describe();
      const { indices } = document.hidden ? { indices: [] } : await ask("indices", {}, watching.signal);
      if (indices.some((index) => index.events > 0)) return onFirst();
    } catch {
      // ingestd may be restarting; the next poll will show.
    }
    if (!watching.signal.aborted) timer = setTimeout(look, EVERY_MS);
    return undefined;
  }
  function stop() {
    watching.abort();
    clearTimeout(timer);
  }
  look();
  return { element, stop };
}

/** The tabs: for ingestd's own client and for the stock handler under each server, what to copy where. */
function servers(recipes) {
  const panel = h("div", { class: "steps", id: "recipe", role: "tabpanel" });
  const tabs = recipes.map((recipe) =>
    h(
      "button",
      { class: "button small", type: "button", role: "tab", id: `recipe-${recipe.name}`, "aria-controls": "recipe" },
      recipe.title,
    ),
  );
  function choose(chosen) {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === chosen));
      tab.tabIndex = place === chosen ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", tabs[chosen].id);
    const { name, package: needed, snippets } = recipes[chosen];
    put(
      panel,
      h("p", { class: "muted" }, t(`setup.note.${name}`)),
      step("1", t("setup.step1"), `pip install ${needed}`),
      snippets.map(({ place, text }, number) => step(String(number + 2), titleOf(place, text), text)),
    );
  }
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(place));
    tab.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!move) return;
      event.preventDefault();
      const next = (place + move + tabs.length) % tabs.length;
      choose(next);
      tabs[next].focus();
    });
  });
  choose(0);
  return h(
    "section",
    { class: "servers" },
    h("div", { class: "server-tabs", role: "tablist", "aria-label": t("setup.servers") }, tabs),
    panel,
  );
}

function titleOf(place, text) {
  if (place === "settings.py") return t("setup.step2");
  if (place !== "sh") return t("setup.file", { file: place });
  return t(text.includes("ingestd_check") ? "setup.check" : "setup.start");
}

function step(place, title, text) {
  const button = h(
    "button",
    { class: "button small copy", type: "button" },
    icon("copy", 14),
    h("span", { data: { label: "" } }, t("setup.copy")),
  );
  button.addEventListener("click", () => copy(text, button, t("setup.copied")));
  return h(
    "section",
    { class: "step" },
    h("h3", {}, place ? h("span", { class: "step-number", "aria-hidden": "true" }, place) : null, title),
    h(
      "div",
      { class: "step-code" },
      h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": title }, text),
      button,
    ),
  );
}
