// What is asked of all nodes: the search for them, and their temperatures.

import { byId, setText } from "./dom.js";
import { counted } from "./format.js";
import { fold } from "./menus.js";
import { place } from "./place.js";
import { chosenColumns } from "./table.js";

/** Milliseconds for which it is said what came of it: later that is no news any more. What went
 * wrong stays until the next search. */
const NEWS = 30000;

/** What was asked for is shown. */
function showTemperatures() {
  const ids = chosenColumns().map((column) => column.id);
  if (!ids.includes("temperature")) place.set({ columns: [...ids, "temperature"].join(",") });
}

export class Searches {
  constructor(state, link) {
    this.state = state;
    this.link = link;
    this.text = byId("discover-text");
    byId("discover").addEventListener("click", () => this.discover());
    byId("discover-first").addEventListener("click", () => this.discover());
    byId("measure").addEventListener("click", () => {
      fold(byId("more-menu"));
      this.run(byId("measure"), "Asking the nodes for their temperatures…", async () => {
        const answered = await link.call("temperatures", []);
        showTemperatures();
        return `${counted(answered, "node")} told the temperature.`;
      });
    });
  }

  /** Do something, and say how far it is and what came of it. */
  async run(button, words, work) {
    // Not `disabled`, which would take the focus away.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    clearTimeout(this.old);
    this.text.classList.remove("error");
    setText(this.text, words);
    try {
      setText(this.text, await work());
      this.old = setTimeout(() => setText(this.text, ""), NEWS);
    } catch (fault) {
      setText(this.text, fault.message);
      this.text.classList.add("error");
    }
    button.removeAttribute("aria-disabled");
  }

  async discover() {
    const progress = byId("discover-progress");
    const before = this.state.nodes.size;
    progress.removeAttribute("value");
    await this.run(byId("discover"), "Searching the network…", async () => {
      progress.hidden = false;
      await this.link.call("discover", [], ({ elapsed, total, found }) => {
        progress.max = total;
        progress.value = Math.min(elapsed, total);
        setText(this.text, `Searching the network… ${counted(found, "node")} answered.`);
      });
      const added = this.state.nodes.size - before;
      const all = counted(this.state.nodes.size, "node");
      const news = added > 0 ? `, ${counted(added, "new one")}` : "";
      return `The search has ended; ${all} known${news}.`;
    });
    progress.hidden = true;
  }
}
