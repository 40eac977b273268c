// What can be tried with a node: test the way to it, restart it, have it say who it is, forget it.

import { ask, resultLine, say, work } from "./asking.js";
import { element, Facts } from "./dom.js";
import * as format from "./format.js";
import { place } from "./place.js";

/** Milliseconds from one look at a test to the next. */
const LOOK = 400;

/** Packets of a test. */
const COUNTS = [3, 10, 50, 200];
const USUAL = 10;

export class PanelActions {
  constructor(subject) {
    this.subject = subject;
    this.test = new LinkTest(subject);
    this.questions = element("div");
    this.result = resultLine("action-result");
    this.restart = this.button("restart", "Restart…", () => this.askRestart());
    this.identify = this.button("identify", "Identify", () => this.doIdentify());
    this.sample = this.button("go-sample", "Sample", () => place.set({ tab: "io" }));
    this.forget = this.button("forget", "Forget…", () => this.askForget());
    this.forget.classList.add("danger");
    this.element = element(
      "div",
      { class: "actions" },
      element(
        "div",
        { class: "buttons" },
        this.test.button,
        this.test.count,
        this.restart,
        this.identify,
        this.sample,
        this.forget,
      ),
      this.test.element,
      this.questions,
      this.result,
    );
  }

  button(id, text, action) {
    const button = element("button", { type: "button", id }, text);
    button.addEventListener("click", action);
    return button;
  }

  update() {
    for (const button of [this.restart, this.identify, this.sample, this.forget]) {
      button.disabled = this.subject.isOff;
    }
    // Somebody else has forgotten it: there is nothing left to be asked.
    if (!this.subject.values && this.subject.link.up) this.questions.asked?.(false);
    this.test.update();
  }

  async askRestart() {
    const { subject } = this;
    const dropped = subject.clientsText;
    const unwritten = subject.details?.unwritten || [];
    const parts = [`Restart the radio of ${subject.name}?`];
    if (dropped) parts.push(`${dropped} of its port will be disconnected.`);
    if (unwritten.length) {
      parts.push(`What is not in flash is lost: ${unwritten.join(", ")}.`);
    }
    // What costs nobody anything is not asked for.
    if (parts.length > 1) {
      const isMeant = await ask(this.questions, parts.join(" "), "Restart", { id: "restart" });
      if (!isMeant) return;
    }
    await work(this.restart, this.result, "Telling it to restart…", async () => {
      await subject.call("restart");
      subject.restarted();
      return "It restarts, and is back within seconds.";
    });
  }

  doIdentify() {
    work(this.identify, this.result, "Telling it to say who it is…", async () => {
      await this.subject.call("identify");
      return "It says who it is: the associate LEDs of all modules that hear it blink.";
    });
  }

  async askForget() {
    const { subject } = this;
    const dropped = subject.clientsText;
    const port = subject.values?.port;
    const text =
      `Forget ${subject.name}: its name, its counters` +
      (port ? `, and that port ${port} is its own?` : "?") +
      (dropped ? ` ${dropped} will be disconnected.` : "") +
      " If it is heard again, it is a new node.";
    if (!(await ask(this.questions, text, "Forget it", { no: "Keep it", id: "forget" }))) return;
    const isDone = await work(this.forget, this.result, "Forgetting it…", () =>
      subject.call("forget").then(() => "It is forgotten."),
    );
    if (isDone) subject.leave();
  }
}

/** The test of the way to a node, with what came of the last one. */
class LinkTest {
  constructor(subject) {
    this.subject = subject;
    this.isOn = false;
    // When the one began of whose end was told last.
    this.ended = 0;
    this.button = element("button", { type: "button", class: "primary", id: "test" }, "Test the link");
    this.button.addEventListener("click", () => this.run());
    this.count = element(
      "select",
      { id: "test-count", "aria-label": "Packets of a test" },
      ...COUNTS.map((count) =>
        element("option", { value: count, selected: count === USUAL }, `${count} packets`),
      ),
    );
    this.progress = element("progress", { id: "test-progress", "aria-label": "Test of the link" });
    this.end = element("button", { type: "button", class: "small", id: "test-end" }, "End the test");
    this.end.addEventListener("click", () => this.endIt());
    this.running = element("div", { class: "running" }, this.progress, this.end);
    this.running.hidden = true;
    this.result = resultLine("test-result");
    const facts = element("dl", { class: "facts", id: "test-facts" });
    this.facts = new Facts(facts);
    this.element = element("div", {}, this.running, this.result, facts);
  }

  update() {
    const { isOff, details } = this.subject;
    this.button.disabled = isOff;
    this.count.disabled = isOff;
    this.end.hidden = isOff;
    const test = details?.test;
    // Also one that somebody else began. What was asked for while it ran may still be the last that
    // the gateway has told of it, for as long as there is no connection.
    const isOld = test?.running && test.began === this.ended;
    if (test && !isOld && !this.isOn && !this.result.classList.contains("error")) this.show(test);
  }

  async run() {
    const count = Number(this.count.value);
    this.isOn = true;
    // What the one before has shown.
    this.facts.list.hidden = true;
    const looking = setInterval(() => this.look(), LOOK);
    this.progress.max = count;
    this.progress.value = 0;
    this.showRunning(true);
    let last = null;
    await work(this.button, this.result, "Testing the way to it…", async () => {
      last = await this.subject.call("test", count);
      return last.text;
    });
    clearInterval(looking);
    this.isOn = false;
    this.showRunning(false);
    if (last) this.show(last);
    this.subject.refresh();
  }

  /** End it, also one that somebody else began. What came of it says the test itself. */
  endIt() {
    work(this.end, this.result, "Ending the test…", async () => {
      const test = await this.subject.call("end_test");
      if (!this.isOn) this.show(test);
      return test.text;
    });
  }

  showRunning(isRunning) {
    // The focus would be lost with the button.
    if (!isRunning && this.end === document.activeElement) this.button.focus();
    this.running.hidden = !isRunning;
  }

  async look() {
    try {
      const test = await this.subject.call("test_result");
      if (this.isOn && test.running) this.show(test);
    } catch {
      // What is wrong the test itself says.
    }
  }

  show(test) {
    this.showRunning(test.running || this.isOn);
    if (!test.began) return;
    if (test.running) {
      this.progress.max = test.count;
      this.progress.value = test.sent;
      say(this.result, `${test.sent} of ${test.count} sent, ${test.received} came back.`);
    } else {
      this.ended = test.began;
      const when = this.isOn ? "" : ` (${format.ago(test.began)})`;
      say(this.result, test.text + when);
    }
    const lost = test.sent ? Math.round((100 * (test.sent - test.received)) / test.sent) : 0;
    const times = [test.fastest, test.average, test.slowest].map((one) => one.toFixed(0));
    this.facts.list.hidden = !test.sent;
    this.facts.show([
      ["Lost", test.sent && !test.running ? `${lost} %` : ""],
      ["There and back", test.received ? `${times.join(" / ")} ms` : ""],
      ["Sent again", test.retries ? format.count(test.retries) : ""],
      ["Signal here", test.signal ? format.signal(test.signal) : ""],
      ["Signal there", test.signal_there ? format.signal(test.signal_there) : ""],
    ]);
  }
}
