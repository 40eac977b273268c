// The terminal of a node in its panel. It stays open while another tab is looked at; what closes the
// panel, or shows another node, closes the connection, too.

import { element } from "./dom.js";

export class TerminalTab {
  constructor(subject, { terminal }) {
    this.subject = subject;
    this.terminal = terminal;
    this.element = element("div", { id: "terminal-room" });
  }

  show() {
    this.terminal.mount(this.element, this.subject.address);
  }

  hide() {
    this.terminal.unmount();
  }

  focus() {
    this.terminal.focus();
  }

  close() {
    this.terminal.leave();
  }
}
