/** The fields of an event, by their paths. */

/**
 * Return `[path, values]` for each leaf of an event, in its order; objects are flattened (`geoip.country_code2`).
 *
 * An array of plain values yields those values; one with objects yields its JSON.
 */
export function flatten(event, prefix = "") {
  return Object.entries(event).flatMap(([key, value]) => {
    const path = prefix + key;
    if (Array.isArray(value))
      return [
        [path, value.some((part) => part !== null && typeof part === "object") ? [JSON.stringify(value)] : value],
      ];
    if (value !== null && typeof value === "object") return flatten(value, `${path}.`);
    return [[path, [value]]];
  });
}

/** Return the first value at a path of `flatten`, or undefined. */
export function valueAt(event, path) {
  if (path in event) return event[path];
  const dot = path.indexOf(".");
  for (let at = dot; at > 0; at = path.indexOf(".", at + 1)) {
    const inner = event[path.slice(0, at)];
    if (inner !== null && typeof inner === "object") {
      const found = valueAt(inner, path.slice(at + 1));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
