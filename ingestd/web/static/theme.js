// Not a module, so that it runs before the first paint and the theme does not flash.
(() => {
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  let kept = null;
  try {
    kept = localStorage.getItem("ingestd.theme");
  } catch {
    // Without storage the system's theme is used.
  }
  const theme = asked ?? kept;
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
})();
