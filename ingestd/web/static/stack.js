/** Stack traces: found in an event, and shown with the frames of libraries folded. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { valueAt } from "./values.js";

const STACKS = ["stack_trace", "error.stack_trace", "exc_info", "exc_text", "traceback"];
const IN_MESSAGE = "Traceback (most recent call last):";

/** Files that are not the site's own: installed packages, the standard library, what Python itself freezes. */
const LIBRARY = /[/\\](?:site-packages|dist-packages|node_modules)[/\\]|[/\\]lib(?:64)?[/\\]python[\d.]*[/\\]|^<(?!stdin|string|console)/;
const FRAME = /^\s*(?:[|+\s-]*)File "([^"]+)", line \d+/;

/** Return the stack trace of an event, also one in its message, or "". */
export function stackOf(event) {
  const found = STACKS.map((path) => valueAt(event, path)).find((value) => typeof value === "string" && value.trim());
  if (found) return withCause(found.replace(/\s+$/, ""), event);
  const message = typeof event.message === "string" ? event.message : "";
  const start = message.indexOf(IN_MESSAGE);
  return start < 0 ? "" : message.slice(start).replace(/\s+$/, "");
}

/** Return a trace with its last line, which ecs-logging has in two other fields. */
function withCause(stack, event) {
  const [type, message] = ["error.type", "error.message"].map((path) => valueAt(event, path));
  const known = typeof type !== "string" || typeof message !== "string" || `\n${stack}`.includes(`\n${type}: `);
  return known || !FRAME.test(stack.split("\n")[0]) ? stack : `${stack}\n${type}: ${message}`;
}

/**
 * Return the exception of a stack trace, "ValueError: no such item": in Python the line after the last frame, where
 * frames follow it ("at a.B.c") the first line, else the last.
 */
export function exceptionOf(stack) {
  const lines = stack.split("\n");
  const frame = lines.findLastIndex((line) => FRAME.test(line));
  if (frame < 0) return lines.at(/^\s+at /m.test(stack) ? 0 : -1);
  return lines.slice(frame + 1).find((line) => /^[^\s|+]/.test(line)) ?? lines.at(-1);
}

/**
 * Return a block with a stack trace: frames of libraries are folded, the exception is highlighted.
 *
 * `mark(text)`: returns a text as nodes, with the matches of a query marked.
 */
export function stackBlock(text, mark = (part) => part) {
  const exception = exceptionOf(text);
  const line = (content) => (content === exception ? h("b", {}, mark(content), "\n") : [mark(`${content}\n`)]);
  return h(
    "pre",
    { class: "stack", tabindex: "0", role: "group", "aria-label": t("record.stack") },
    parts(text).map((part) => (part.library ? folded(part, mark) : part.lines.map(line))),
  );
}

/** Return the lines in parts, `{library, frames, lines}`: a frame is its line and the code below it. */
function parts(text) {
  const found = [];
  let own = { library: false, frames: 0, lines: [] };
  for (const line of text.split("\n")) {
    const file = FRAME.exec(line)?.[1];
    const library = file ? LIBRARY.test(file) : own.library && /^\s/.test(line);
    if (library !== own.library) {
      found.push(own);
      own = { library, frames: 0, lines: [] };
    }
    own.frames += file ? 1 : 0;
    own.lines.push(line);
  }
  found.push(own);
  const kept = found.filter((part) => part.lines.length);
  // A trace of nothing but libraries has no frames that matter more.
  return kept.some((part) => part.frames && !part.library) ? kept : [{ library: false, frames: 0, lines: text.split("\n") }];
}

function folded({ frames, lines }, mark) {
  const body = h("span", { hidden: true }, mark(`${lines.join("\n")}\n`));
  const button = h(
    "button",
    { type: "button", class: "frames", "aria-expanded": "false" },
    t(frames === 1 ? "record.frame" : "record.frames", { n: frames }),
  );
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    body.hidden = !body.hidden;
    button.setAttribute("aria-expanded", String(!body.hidden));
  });
  return [button, "\n", body];
}
