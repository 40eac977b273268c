// Says it where the page's modules do not load: then nothing else of it runs. It is no module: for
// one of those a browser says whose page it is, which the gateway behind a proxy may refuse.

(() => {
  function say() {
    document.getElementById("radio-pill").textContent = "not loaded";
    document.getElementById("banner-text").textContent =
      "The scripts of this page were not loaded. If there is a proxy before the gateway, it must " +
      "pass on the header Host as the browser sends it; the gateway's log says more, and " +
      '"Behind a proxy" in docs/console.rst. Else load the page again.';
    document.getElementById("banner").hidden = false;
  }

  function failed({ target }) {
    if (target.type !== "module") return;
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", say);
    else say();
  }

  // It does not rise from an element, but comes down to it.
  document.addEventListener("error", failed, true);
})();
