// Not a module, so that it runs before the first paint: a chosen theme must not flash.
(() => {
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  let kept = null;
  try {
    kept = localStorage.getItem("ingestd.theme");
  } catch {
    // Storage is off: the system's theme it is.
  }
  const theme = asked ?? kept;
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
})();
