// Light or dark: as the reader's system has it, or as was chosen here, which is all that the page
// keeps in the browser. It runs before anything is drawn, so that nothing flashes; so it is no
// module.

(() => {
  const KEY = "zbtwist-theme";
  const THEMES = ["light", "dark"];
  const system = matchMedia("(prefers-color-scheme: dark)");

  /** What was chosen; "" for nothing. A browser may be told to keep nothing. */
  function chosen() {
    try {
      const theme = localStorage.getItem(KEY);
      return THEMES.includes(theme) ? theme : "";
    } catch {
      return "";
    }
  }

  let choice = chosen();

  function show() {
    document.documentElement.dataset.theme = choice || (system.matches ? "dark" : "light");
    const field = document.getElementById("theme");
    if (field) field.value = choice;
  }

  function choose(theme) {
    choice = theme;
    try {
      if (theme) localStorage.setItem(KEY, theme);
      else localStorage.removeItem(KEY);
    } catch {
      // Then it is chosen for as long as the page is open.
    }
    show();
  }

  system.addEventListener("change", show);
  addEventListener("storage", () => {
    choice = chosen();
    show();
  });
  document.addEventListener("DOMContentLoaded", () => {
    show();
    const field = document.getElementById("theme");
    field?.addEventListener("change", () => choose(field.value));
  });
  show();
})();
