// The connection to the gateway: its news, and calls with their answers. When it is lost it is made
// again, soon at first, then every two seconds.
//
// A gateway that hangs, or a computer that was switched off, closes no connection. So when nothing
// came for a while something is asked for, and when still nothing comes the connection is lost.

const FIRST_DELAY = 250;
const LAST_DELAY = 2000;

/** Milliseconds until it is tried again where something between asks who the reader is: each time a
 * browser may ask as well. */
const ASKED_DELAY = 60000;

/** Milliseconds after which a connection attempt counts as lost. */
const PATIENCE = 10000;

/** Milliseconds without a word after which something is asked for, and until something must have
 * come then. */
const SILENCE = 3000;
const LAST_SILENCE = 4000;

/** Why a socket does not open where all else is answered: browsers do not tell. */
const UNOPENED =
  "The gateway answers, but no WebSocket to it opens. A proxy between may not pass them on (see " +
  '"Behind a proxy" in docs/console.rst), or too many consoles are open.';

/** What the gateway could not do, in its own words. */
export class Fault extends Error {
  constructor(text, code = 0) {
    super(text);
    this.code = code;
  }
}

/** Tells "up", "down" and "news" (with the message as its detail). It is up from the first
 * snapshot on. The detail of "down" says why, if that is known, and whether something between asks
 * who the reader is. */
export class Link extends EventTarget {
  constructor(path, session) {
    super();
    this.path = path;
    this.session = session;
    this.up = false;
    this.delay = FIRST_DELAY;
    /** How many sockets in a row did not open, though there was a ticket for each. */
    this.unopened = 0;
    this.lastId = 0;
    this.calls = new Map();
    // A page that comes back to the front does not wait for its turn.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.timer) this.open();
    });
  }

  async open() {
    clearTimeout(this.timer);
    this.timer = null;
    // What stands for the socket until there is one.
    const begun = { close() {} };
    this.socket = begun;
    let url;
    try {
      url = await this.session.address(this.path);
    } catch (failure) {
      this.unopened = 0;
      // A browser's own words say nothing to a reader.
      this.lost(begun, failure.isAnswer ? failure.message : "", failure.isAsked);
      return;
    }
    if (begun !== this.socket) return;
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    this.unopened += 1;
    socket.addEventListener("open", () => {
      this.unopened = 0;
    });
    // Once may be a gateway that stops just then.
    const lost = () => this.lost(socket, this.unopened > 1 ? UNOPENED : "");
    const attempt = setTimeout(lost, PATIENCE);
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      clearTimeout(attempt);
      this.watch();
      this.heard(JSON.parse(event.data));
    });
    socket.addEventListener("close", () => {
      clearTimeout(attempt);
      lost();
    });
  }

  /** It lives: look again when it has been silent. */
  watch() {
    const { socket } = this;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.silence = setTimeout(() => this.lost(socket), LAST_SILENCE);
      // What costs the gateway least. Any answer will do.
      this.call("frames", []).catch(() => {});
    }, SILENCE);
  }

  heard(message) {
    if (message.type === "progress") {
      this.calls.get(message.id)?.progress?.(message);
    } else if (message.type === "answer") {
      const call = this.calls.get(message.id);
      this.calls.delete(message.id);
      if (message.fault) call?.reject(new Fault(message.fault.text, message.fault.code));
      else call?.resolve(message.result);
    } else {
      this.dispatchEvent(new CustomEvent("news", { detail: message }));
      if (message.type === "snapshot" && !this.up) {
        this.up = true;
        this.delay = FIRST_DELAY;
        this.dispatchEvent(new Event("up"));
      }
    }
  }

  lost(socket, why = "", isAsked = false) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    socket.close();
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) {
      call.reject(new Fault("The connection to the gateway was lost before it answered."));
    }
    this.timer = setTimeout(() => this.open(), isAsked ? ASKED_DELAY : this.delay);
    this.delay = Math.min(this.delay * 2, LAST_DELAY);
    this.up = false;
    this.dispatchEvent(new CustomEvent("down", { detail: { why, isAsked } }));
  }

  /** Ask the gateway for something.
   *
   * @return a promise of the result; it fails with a Fault.
   */
  call(name, args, progress) {
    if (!this.up) {
      return Promise.reject(new Fault("There is no connection to the gateway; try again later."));
    }
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, progress });
      this.socket.send(JSON.stringify({ id, call: name, arguments: args }));
    });
  }
}
