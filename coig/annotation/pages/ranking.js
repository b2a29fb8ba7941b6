// Which order are the answers in, best first? They are placed by tap, by key and by drag.

import { letter } from "./answers.js";
import { dragChips } from "./drag.js";
import { append, groupOf, move, put, rankOf, takeOut, toggleTie } from "./groups.js";
import { el, say, state } from "./web.js";

export class RankingPanel {
  constructor(choices) {
    this.choices = choices;
    this.size = choices.task.answers.length;
    this.tieNext = false; // the next answer that is placed ties with the last
    this.ranks = el("ol", { id: "ranks", "aria-label": say("order"), "data-hint": say("hint") });
    this.tray = el("ul", { id: "tray", "aria-label": say("tray") });
    const lists = el("div", { id: "lists" }, this.ranks, this.tray);
    dragChips(lists, (place, where, other) => this.drop(place, where, other));
    this.bar = [lists];
    this.tieButton = el("button", { id: "tie", type: "button", "aria-label": say("tie_label"), onclick: () => this.tie() }, `= ${say("tie")}`);
    this.actions = [this.tieButton];
    this.places = Array.from({ length: this.size }, (_, place) =>
      el("button", { class: "place", type: "button", onclick: () => this.press(place) }));
  }
  headOf(place) { return [this.places[place]]; }
  footOf() { return []; }
  get groups() { return this.choices.now.groups; }
  countMissing() { return Math.max(0, (state.best ?? this.size) - this.groups.flat().length); }

  digit(number) { if (number >= 1 && number <= this.size) this.press(number - 1); }

  /** Place an answer next; take it out if it is placed. */
  press(place) {
    if (groupOf(this.groups, place) >= 0) {
      this.choices.change({ groups: takeOut(this.groups, place) }, () => `${letter(place)}: ${say("take_out")}`);
      return;
    }
    const groups = append(this.groups, place, this.tieNext);
    this.tieNext = false;
    this.set(groups, place);
  }

  /** Tie: the focused chip with the one before it, else the next answer with the last. */
  tie() {
    const chip = document.activeElement?.closest("#ranks .chip");
    if (chip) return this.set(toggleTie(this.groups, Number(chip.dataset.place)), Number(chip.dataset.place));
    this.tieNext = !this.tieNext && this.groups.length > 0;
    this.draw();
  }

  drop(place, where, other) {
    if (where === "tray") this.choices.change({ groups: takeOut(this.groups, place) });
    else this.set(where === "end" ? append(this.groups, place, false) : put(this.groups, place, where, other), place);
  }

  set(groups, place) {
    this.choices.change({ groups }, () => say("placed", { letter: letter(place), rank: rankOf(groups, place) }));
  }

  draw() {
    const focused = document.activeElement?.closest("#lists .chip")?.dataset.place;
    const placed = this.groups.flatMap((group) => group.map((place, number) => el("li", { class: number ? "tied" : "" }, this.makeChip(place))));
    const free = this.places.map((_, place) => place).filter((place) => groupOf(this.groups, place) < 0);
    this.ranks.replaceChildren(...placed);
    this.tray.replaceChildren(...free.map((place) => el("li", {}, this.makeChip(place))));
    if (focused !== undefined) document.querySelector(`#lists .chip[data-place="${focused}"]`)?.focus();
    this.tieNext &&= this.groups.length > 0 && free.length > 0;
    this.tieButton.setAttribute("aria-pressed", this.tieNext);
    this.tieButton.disabled = this.groups.length === 0 || free.length === 0;
    this.places.forEach((button, place) => this.drawPlace(button, place));
  }

  drawPlace(button, place) {
    const isPlaced = groupOf(this.groups, place) >= 0;
    const label = isPlaced ? `${say("rank", { rank: rankOf(this.groups, place) })} · ${say("take_out")}` : say("place");
    button.replaceChildren(label, el("kbd", { "aria-hidden": "true" }, String(place + 1)));
    button.setAttribute("aria-label", `${letter(place)}: ${label}`);
    button.setAttribute("aria-pressed", isPlaced);
  }

  makeChip(place) {
    const isPlaced = groupOf(this.groups, place) >= 0;
    const rank = isPlaced ? String(rankOf(this.groups, place)) : "";
    const label = say(isPlaced ? "chip_placed" : "chip_free", { letter: letter(place), rank });
    const chip = el("button", { class: "chip", type: "button", "data-place": place, "aria-label": label, onclick: () => this.press(place) }, letter(place));
    if (!isPlaced) return chip;
    chip.prepend(el("span", { class: "rank" }, rank));
    chip.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.set(move(this.groups, place, step), place);
    });
    return chip;
  }
}
