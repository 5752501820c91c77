/** Small bar charts within a line of text. */

import { svg } from "./dom.js";

const WIDTH = 120,
  HEIGHT = 24;

/** Return a chart of counts over time; `label` says what it shows. */
export function sparkline(counts, label) {
  const most = Math.max(...counts, 1);
  const step = WIDTH / Math.max(counts.length, 1);
  // A single event among thousands is still seen.
  const height = (count) => (count ? Math.max((count / most) * HEIGHT, 2) : 0);
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
    svg("path", { class: "sparkline-base", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
    counts.map((count, at) =>
      count
        ? svg("rect", { x: at * step, y: HEIGHT - height(count), width: Math.max(step - 1, 1), height: height(count) })
        : null,
    ),
  );
}
