// Where in the console the reader is: the query of the page's address, so that it can be kept, sent
// to somebody, and gone back from. Nobody else reads or writes it.
//
//   view     nodes (if there is none), network or log
//   node     address of the node whose panel is open, and `tab`, what of it is shown
//   q        what is searched for, and `health`, the box that filters
//   sort     the column that is sorted by, and `columns`, those that are shown
//   tap      whether the terminal only looks on

/** Tells "change" after every change, also when the reader goes back; the detail is a Set of the
 * names of which something else is said now. */
class Place extends EventTarget {
  constructor() {
    super();
    this.query = new URLSearchParams(location.search);
    addEventListener("popstate", () => this.take(new URLSearchParams(location.search)));
  }

  /** Return what the address says of something; null if nothing. */
  get(name) {
    return this.query.get(name);
  }

  /** Go somewhere.
   *
   * @param values: what is to be said by name; null for nothing. Of others it stays as it is.
   * @param push: whether the reader can go back from there.
   */
  set(values, { push = false } = {}) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === undefined || value === "") query.delete(name);
      else query.set(name, value);
    }
    if (query.toString() === this.query.toString()) return;
    // A colon may stand in a query as it is, and addresses of nodes are full of them.
    const text = query.toString().replaceAll("%3A", ":");
    const url = `${location.pathname}${text && `?${text}`}`;
    try {
      history[push ? "pushState" : "replaceState"](null, "", url);
    } catch {
      // Browsers take only so many in a while: the address is behind then, and the page is not.
    }
    this.take(query);
  }

  take(query) {
    const names = new Set([...this.query.keys(), ...query.keys()]);
    const before = this.query;
    this.query = query;
    for (const name of names) if (before.get(name) === query.get(name)) names.delete(name);
    if (names.size) this.dispatchEvent(new CustomEvent("change", { detail: names }));
  }
}

export const place = new Place();
