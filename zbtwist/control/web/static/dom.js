// Making and changing elements. Text goes in as text only, so that no name is ever markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

/** Make an HTML element; children are elements or text. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Make an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Find an element of the page by its id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Change a text only if it is another one: what is the same keeps its selection, and is not said
 * again by a screen reader. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Change an attribute only if it is another one; null removes it. */
export function setAttribute(node, name, value) {
  if (value === null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/** A list of terms and texts that keeps its elements from one update to the next. */
export class Facts {
  constructor(list) {
    this.list = list;
    this.parts = new Map();
  }

  /** @param rows: term, text and, if need be, class of each; one without a text is not shown. */
  show(rows) {
    for (const [term, text, kind] of rows) {
      let part = this.parts.get(term);
      if (!part) {
        const value = element("dd");
        part = { box: element("div", { class: kind }, element("dt", {}, term), value), value };
        this.parts.set(term, part);
        this.list.append(part.box);
      }
      part.box.hidden = !text;
      setText(part.value, text || "");
    }
  }
}
