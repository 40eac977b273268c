// The network as a list of lists, for those who cannot see the picture or prefer to read.

import { byId, element, setText } from "./dom.js";
import * as format from "./format.js";
import { childrenOf } from "./layout.js";
import { describe } from "./picture-words.js";

export class NetworkList {
  /** @param onOpen: called with the address of the node that was chosen. */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.items = new Map();
  }

  update(nodes, links) {
    const names = new Map(nodes.map((node) => [node.address, node]));
    const shape = [...links].map(([address, { parent }]) => `${address} ${parent}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.make(childrenOf(links));
    }
    for (const [address, { button, text }] of this.items) {
      const node = names.get(address);
      const link = links.get(address);
      const parent = link.parent ? format.nodeName(names.get(link.parent)) : "";
      setText(button, format.nodeName(node));
      setText(text, describe(node, link, parent));
    }
  }

  make(children) {
    this.items.clear();
    const list = (address) => {
      const items = (children.get(address) || []).map((child) => {
        const button = element("button", { type: "button", class: "link" });
        button.addEventListener("click", () => this.onOpen(child));
        const text = element("span", { class: "muted" });
        this.items.set(child, { button, text });
        const item = element("li", {}, button, " ", text);
        if (children.has(child)) item.append(list(child));
        return item;
      });
      return element("ul", {}, ...items);
    };
    byId("tree").replaceChildren(element("p", {}, "Coordinator"), list(""));
  }
}
