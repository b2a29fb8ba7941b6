// What a rater chooses in one task, with undo. Nothing is chosen beforehand.

import { Answers } from "./answers.js";
import { PairPanel } from "./pair.js";
import { RankingPanel } from "./ranking.js";
import { RatingPanel } from "./rating.js";
import { el, say, state } from "./web.js";

const PANELS = { ranking: RankingPanel, pairs: PairPanel, rating: RatingPanel };

export class Choices {
  /** Show a task with what was chosen `before`. `changed(message)` is called after each change. */
  constructor(task, before, { changed, send, abstain }) {
    Object.assign(this, { task, changed });
    this.now = {
      groups: before.groups ?? [],
      ratings: before.ratings?.length ? before.ratings : task.answers.map(() => ({})),
      good: before.good ?? null,
    };
    this.earlier = []; // states to undo to
    this.panel = new PANELS[state.protocol](this);
    this.answers = new Answers(task, this.panel);
    this.undoButton = el("button", { id: "undo", type: "button", onclick: () => this.undo() }, say("undo"));
    this.sendButton = el("button", { id: "send", class: "primary", type: "button", onclick: send });
    this.bar = [
      ...this.panel.bar,
      ...(state.good ? [this.makeQuestion()] : []),
      el("div", { id: "actions" },
        ...this.panel.actions, this.undoButton,
        el("button", { id: "cannot", type: "button", onclick: abstain }, say("cannot")),
        this.sendButton),
    ];
    this.draw();
  }

  /** Return what is chosen, as the server takes it. */
  chosen() {
    const isRating = state.protocol === "rating";
    return { groups: isRating ? [] : this.now.groups, ratings: isRating ? this.now.ratings : [], good: this.now.good };
  }

  /** Return how many choices are still to be made. */
  countMissing() {
    return this.panel.countMissing() + (state.good && this.now.good === null ? 1 : 0);
  }

  /** Make the second question, whether the best answer is good at all. */
  makeQuestion() {
    this.good = [true, false].map((value) => [value, el("input", {
      type: "radio", name: "good", value: String(value), onchange: () => this.change({ good: value }),
    })]);
    const labels = this.good.map(([value, input]) => el("label", {}, input, say(value ? "yes" : "no")));
    return el("fieldset", { id: "good" }, el("legend", {}, say("good")), ...labels);
  }

  /** Change some of what is chosen, so that it can be undone; `told()` says it to screen readers. */
  change(change, told) {
    const before = JSON.stringify(this.now);
    Object.assign(this.now, change);
    if (JSON.stringify(this.now) !== before) {
      this.earlier.push(before);
      this.changed(told?.());
    }
    this.draw();
  }

  undo() {
    if (!this.earlier.length) return;
    this.now = JSON.parse(this.earlier.pop());
    this.changed(say("undo"));
    this.draw();
  }

  /** Draw all that depends on what is chosen. */
  draw() {
    this.panel.draw();
    this.good?.forEach(([value, input]) => { input.checked = this.now.good === value; });
    const count = this.countMissing();
    this.sendButton.disabled = count > 0;
    this.sendButton.textContent = count ? say("missing", { count }) : say("send");
    this.undoButton.disabled = this.earlier.length === 0;
  }
}
