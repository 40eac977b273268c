// Who looks at the page. A gateway that is open to others wants to know: a name and a password are
// sent once, and stand for a token from then on, which is kept here and nowhere else. A stream
// cannot send it: each gets a ticket, good once, in its address.

import { byId, setText } from "./dom.js";

/** Milliseconds after which an answer is waited for no longer. */
const PATIENCE = 10000;

/** Milliseconds after which the token is used, so that a page that is only looked at keeps it. */
const RENEWAL = 3600000;

/** No sentence of the gateway is as long. */
const LONGEST = 500;

const encoder = new TextEncoder();

function basic(name, password) {
  const bytes = encoder.encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Return the whole address of what the gateway has. A name and a password that stand in the page's
 * own, as in a bookmark, are left out: no browser asks for anything by such an address. */
function urlOf(path) {
  return new URL(path, location.origin + location.pathname);
}

/** A signal that ends something after a time. AbortSignal.timeout does as much, in browsers that are
 * newer than the rest of the page needs. */
function after(milliseconds) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), milliseconds);
  return controller.signal;
}

/** Why an answer is of no use. The gateway's own are known by their form: they are sentences in
 * plain text, and a question for a password has a name. */
async function failureOf(answer) {
  const { headers, status } = answer;
  const isLogin = Boolean(headers.get("www-authenticate")?.includes('realm="zbtwist"'));
  const isPlain = headers.get("content-type")?.startsWith("text/plain");
  const said = isPlain ? (await answer.text()).trim() : "";
  // A page to log in, in place of an answer, or the way to one.
  const isPage = answer.ok || answer.type === "opaqueredirect";
  let text = `Something between this page and the gateway answers in its place (status ${status}).`;
  const isAsked = (status === 401 && !isLogin) || isPage;
  if (isAsked) {
    text =
      "Something between this page and the gateway, such as a proxy, asks who you are. Reload " +
      "the page to log in there.";
  } else if (said.endsWith(".") && said.length < LONGEST) {
    text = said;
  }
  return Object.assign(new Error(text), { isLogin, isAsked, isAnswer: true });
}

async function post(path, authorization) {
  const answer = await fetch(urlOf(path), {
    method: "POST",
    // Not in the usual header, where a proxy in front may want a password of its own. It is there
    // also when it is empty, by which the gateway knows a page.
    headers: { "zbtwist-authorization": authorization },
    // By these a proxy knows its reader. The gateway sets no cookie, and takes no password that
    // the browser remembers.
    credentials: "same-origin",
    redirect: "manual",
    cache: "no-store",
    signal: after(PATIENCE),
  });
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  if (answer.ok && isJson) return answer.json();
  throw await failureOf(answer);
}

export class Session {
  constructor() {
    this.token = "";
    /** Whether who looks may do nothing else. */
    this.readOnly = false;
    this.asking = null;
    this.dialog = byId("login-dialog");
    // It is of no use without.
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    byId("logout").addEventListener("click", () => this.logout());
    setInterval(() => {
      if (this.token) post("ticket", `Bearer ${this.token}`).catch(() => {});
    }, RENEWAL);
  }

  /** Return the address of a stream; wait for the reader to log in if need be. */
  async address(path) {
    const url = urlOf(path);
    const ticket = await this.ticket();
    if (ticket) url.searchParams.set("ticket", ticket);
    return url;
  }

  async ticket() {
    for (;;) {
      try {
        const told = await post("ticket", this.token && `Bearer ${this.token}`);
        this.show(told);
        return told.ticket;
      } catch (failure) {
        if (!failure.isLogin) throw failure;
      }
      this.token = "";
      await this.ask();
    }
  }

  /** Ask the reader, once for all who wait. */
  ask() {
    this.asking ||= new Promise((resolve) => {
      this.done = resolve;
      if (!this.dialog.open) this.dialog.showModal();
      byId("login-name").focus();
    });
    return this.asking;
  }

  async send() {
    const error = byId("login-error");
    const button = byId("login-send");
    const password = byId("login-password");
    // Not `disabled`, which would take the focus away.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    setText(error, "");
    try {
      const told = await post("login", basic(byId("login-name").value, password.value));
      this.token = told.token;
      password.value = "";
      this.dialog.close();
      this.asking = null;
      this.done();
    } catch (failure) {
      const said = failure.isAnswer ? failure.message : "";
      setText(error, said || "The gateway does not answer; try again.");
      password.select();
    }
    button.removeAttribute("aria-disabled");
  }

  show({ user, read_only: readOnly }) {
    this.readOnly = Boolean(readOnly);
    document.body.classList.toggle("read-only", this.readOnly);
    const shown = byId("user");
    setText(shown, readOnly ? `${user} (may only look)` : user);
    shown.hidden = !user;
    byId("logout").hidden = !user;
  }

  async logout() {
    await post("logout", `Bearer ${this.token}`).catch(() => {});
    location.reload();
  }
}
