// The terminal in a dialog: what closes the dialog closes the connection, too.

import { byId, setText } from "./dom.js";
import { nodeName } from "./format.js";
import { TerminalView } from "./terminal.js";

export class TerminalDialog {
  constructor(parts) {
    this.state = parts.state;
    this.view = new TerminalView(parts);
    this.dialog = byId("terminal-dialog");
    this.dialog.addEventListener("close", () => {
      this.view.unmount();
      this.view.leave();
      this.address = "";
    });
    this.state.addEventListener("change", () => this.showTitle());
  }

  open(address) {
    this.address = address;
    this.showTitle();
    this.dialog.showModal();
    this.view.mount(byId("terminal-room"), address);
    this.view.focus();
  }

  showTitle() {
    if (!this.address) return;
    const node = this.state.nodes.get(this.address);
    setText(byId("terminal-title"), `Terminal of ${node ? nodeName(node) : this.address}`);
  }
}
