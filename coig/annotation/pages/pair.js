// Which of two answers is better?

import { letter } from "./answers.js";
import { el, say } from "./web.js";

const OPTIONS = [["first_better", [[0], [1]]], ["equal", [[0, 1]]], ["second_better", [[1], [0]]]];

export class PairPanel {
  constructor(choices) {
    this.choices = choices;
    this.buttons = OPTIONS.map(([name, groups]) =>
      el("button", { type: "button", class: "option", onclick: () => choices.change({ groups }) }, say(name)));
    this.bar = [el("div", { id: "options", role: "group", "aria-label": say("order") }, ...this.buttons)];
    this.actions = [];
    this.places = [0, 1].map((place) => el("button", { class: "place", type: "button", onclick: () => this.press(place) },
      say("better"), el("kbd", { "aria-hidden": "true" }, String(place + 1))));
    this.places.forEach((button, place) => button.setAttribute("aria-label", `${letter(place)}: ${say("better")}`));
  }
  headOf(place) { return [this.places[place]]; }
  footOf() { return []; }
  countMissing() { return this.choices.now.groups.length ? 0 : 1; }

  digit(number) { if (number === 1 || number === 2) this.press(number - 1); }
  press(place) {
    this.choices.change({ groups: [[place], [1 - place]] }, () => say("placed", { letter: letter(place), rank: 1 }));
  }
  tie() { this.choices.change({ groups: [[0, 1]] }, () => say("equal")); }

  draw() {
    const { groups } = this.choices.now;
    const chosen = JSON.stringify(groups.map((group) => [...group].sort()));
    OPTIONS.forEach(([, option], number) => this.buttons[number].setAttribute("aria-pressed", JSON.stringify(option) === chosen));
    this.places.forEach((button, place) => button.setAttribute("aria-pressed", groups.length === 2 && groups[0][0] === place));
  }
}
