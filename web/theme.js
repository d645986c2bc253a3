// Before the first paint: what the reader chose; otherwise the system's colours.
document.documentElement.classList.add("js");
try {
  const chosen = localStorage.getItem("mlc.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; the page works without.
}
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme")?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("mlc.theme", root.dataset.theme);
    } catch {
      // see above
    }
  });
});
