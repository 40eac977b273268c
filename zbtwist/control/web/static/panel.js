// The panel of one node: beside the table, over it in a narrow window, the whole page on a phone.
// Which node it is about, and what of it is shown, is said by the page's address, so that it can be
// sent to somebody, and Back closes it.
//
// A panel is made anew for each node: what still comes for the one before reaches nothing.

import { byId, element, setAttribute, setText } from "./dom.js";
import { HappenedTab, FramesTab } from "./panel-events.js";
import { PanelHead } from "./panel-head.js";
import { OverviewTab } from "./panel-overview.js";
import { PinsTab } from "./panel-pins.js";
import { SettingsTab } from "./panel-settings.js";
import { TerminalTab } from "./panel-terminal.js";
import { place } from "./place.js";
import { Subject } from "./subject.js";

/** What of a node is shown: its name in the address, its title, what shows it, and a shorter title
 * where there is no room for that one. */
const TABS = [
  ["overview", "Overview", OverviewTab],
  ["terminal", "Terminal", TerminalTab],
  ["settings", "Settings", SettingsTab],
  ["io", "I/O", PinsTab],
  ["frames", "Frames", FramesTab],
  ["happened", "What happened", HappenedTab, "Events"],
];

/** Windows in which it is the whole page; panel.css has the same. */
const phone = matchMedia("(max-width: 720px)");

/** What of the page stays in reach when the panel is all of it. */
const BESIDE = "#panel, dialog, script, noscript, [role=alert]";

/** One node's panel, in the frame. */
class NodePanel {
  constructor(address, context) {
    this.subject = new Subject(address, context);
    this.context = context;
    this.parts = new Map();
    this.places = new Map();
    this.head = new PanelHead(this.subject);
    this.tabs = new Map();
    const list = element("div", { class: "tabs", role: "tablist", "aria-label": "About this node" });
    this.body = element("div", { class: "panel-body" });
    for (const [name, title, , short] of TABS) {
      const tab = element(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${name}`,
          "aria-controls": `panel-${name}`,
          "aria-selected": "false",
          tabindex: "-1",
        },
        ...(short
          ? [element("span", { class: "long" }, title), element("span", { class: "short" }, short)]
          : [title]),
      );
      tab.addEventListener("click", () => place.set({ tab: name === "overview" ? null : name }));
      this.tabs.set(name, tab);
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => this.move(event));
    this.element = element("div", { class: "panel-node" }, this.head.element, list, this.body);
  }

  /** The arrows go from tab to tab, as in any list of tabs. */
  move(event) {
    const names = [...this.tabs.keys()];
    const at = names.indexOf(this.shown);
    const to = {
      ArrowRight: (at + 1) % names.length,
      ArrowLeft: (at + names.length - 1) % names.length,
      Home: 0,
      End: names.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = this.tabs.get(names[to]);
    tab.click();
    tab.focus();
  }

  /** Show one of the tabs; each keeps what is in it, and its place. */
  show(wanted, scroller) {
    const name = this.tabs.has(wanted) ? wanted : "overview";
    if (name === this.shown) return;
    if (this.shown) {
      this.places.set(this.shown, scroller.scrollTop);
      const { part, box } = this.parts.get(this.shown);
      box.hidden = true;
      part.hide?.();
    }
    for (const [each, tab] of this.tabs) {
      setAttribute(tab, "aria-selected", String(each === name));
      setAttribute(tab, "tabindex", each === name ? "0" : "-1");
    }
    this.tabs.get(name).scrollIntoView({ block: "nearest", inline: "nearest" });
    this.shown = name;
    if (!this.parts.has(name)) this.make(name);
    const { part, box } = this.parts.get(name);
    box.hidden = false;
    part.show?.();
    scroller.scrollTop = this.places.get(name) ?? Math.min(scroller.scrollTop, this.head.height);
  }

  make(name) {
    const [, , Tab] = TABS.find(([each]) => each === name);
    const part = new Tab(this.subject, this.context);
    const box = element(
      "div",
      { id: `panel-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}` },
      part.element,
    );
    this.parts.set(name, { part, box });
    this.body.append(box);
  }

  close() {
    if (this.shown) this.parts.get(this.shown).part.hide?.();
    for (const { part } of this.parts.values()) part.close?.();
    this.subject.close();
  }
}

export class Panel {
  /** @param context: what the parts need: link, state, session, tracing, terminal. */
  constructor(context) {
    this.context = { ...context, nodeLink };
    this.frame = byId("panel");
    this.node = null;
    /** What had the focus when it was opened. */
    this.opener = null;
    place.addEventListener("change", ({ detail }) => {
      if (detail.has("node") || detail.has("tab")) this.follow(true);
    });
    phone.addEventListener("change", () => this.showReach());
    document.addEventListener("keydown", (event) => this.escape(event));
    this.follow(false);
  }

  /** Show what the address says.
   *
   * @param isAsked: somebody asked for it just now, and is to have the focus in it.
   */
  follow(isAsked) {
    const address = place.get("node");
    if (!address) {
      this.close();
      return;
    }
    const isOther = address !== this.node?.subject.address;
    if (isOther) this.open(address, isAsked);
    this.node.show(place.get("tab"), this.frame);
    if (isOther && isAsked) this.takeFocus();
  }

  open(address, isAsked) {
    const focused = document.activeElement;
    if (isAsked && !this.frame.contains(focused)) this.opener = focused;
    this.node?.close();
    this.node = new NodePanel(address, this.context);
    this.frame.replaceChildren(this.node.element);
    this.frame.hidden = false;
    this.frame.scrollTop = 0;
    document.body.classList.add("with-panel");
    this.showReach();
  }

  /** Not into a field, unless that is what was asked for: on a phone that would open the keyboard over
   * what is to be read. */
  takeFocus() {
    const { part } = this.node.parts.get(this.node.shown);
    if (part.focus && !phone.matches) part.focus();
    else byId("node-title").focus({ preventScroll: true });
  }

  close() {
    if (!this.node) return;
    const { address } = this.node.subject;
    const hadFocus = this.frame.contains(document.activeElement);
    this.node.close();
    this.node = null;
    this.frame.hidden = true;
    this.frame.replaceChildren();
    document.body.classList.remove("with-panel");
    this.showReach();
    if (hadFocus || document.activeElement === document.body) this.giveBack(address);
    this.opener = null;
  }

  /** Put the focus back to where the node was opened, or to its row. */
  giveBack(address) {
    const row = document.querySelector(`[data-address="${CSS.escape(address)}"] button`);
    const opener = this.opener !== document.body && this.opener?.isConnected ? this.opener : null;
    const goal = opener || row || byId("main");
    goal.focus({ preventScroll: goal === byId("main") });
  }

  escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented || !this.node) return;
    // In a field of the page it is the field's.
    const isInPanel = this.frame.contains(event.target);
    if (!isInPanel && event.target.closest?.("input, select, textarea, dialog")) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.node.subject.leave();
  }

  /** On a phone the rest of the page is not there, for a keyboard and a screen reader either. */
  showReach() {
    const isAll = Boolean(this.node) && phone.matches;
    for (const each of document.body.children) {
      if (!each.matches(BESIDE)) each.inert = isAll;
    }
  }
}

/** A button that opens another node, and says its name. */
function nodeLink(address, name) {
  const button = element("button", { type: "button", class: "link" });
  setText(button, name);
  button.addEventListener("click", () => place.set({ node: address, tab: null }, { push: true }));
  return button;
}
