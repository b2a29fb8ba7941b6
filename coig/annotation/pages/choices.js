// The answers of one task and what the rater chooses: a ranking, the better of two, or ratings. Nothing is pre-chosen.

import { letter } from "./abstain.js";
import { dragChips } from "./drag.js";
import { append, groupOf, move, put, rankOf, takeOut, toggleTie } from "./ranking.js";
import { el, say, state } from "./web.js";

export class Choices {
  /** Show a task with what was chosen `before`; `changed(message)` is called after each change, `send()` to send. */
  constructor(task, before, changed, send) {
    Object.assign(this, { task, changed, send });
    this.size = task.answers.length;
    this.isRating = state.protocol === "rating";
    this.isPair = !this.isRating && this.size === 2;
    this.now = {
      groups: before.groups ?? [],
      ratings: before.ratings?.length ? before.ratings : task.answers.map(() => ({})),
      good: before.good ?? null,
    };
    this.earlier = []; // states to undo to
    this.tieNext = false;
    this.answers = el("section", { id: "answers", "aria-label": say("answers") });
    this.texts = [];
    task.answers.forEach((text, place) => this.answers.append(this.article(text, place)));
    this.choose(0);
  }

  /** Return what is chosen, as the server takes it. */
  chosen() {
    return { groups: this.isRating ? [] : this.now.groups, ratings: this.isRating ? this.now.ratings : [], good: this.now.good };
  }

  isComplete() {
    const all = this.isRating
      ? this.now.ratings.every((ratings) => Object.keys(ratings).length === state.dimensions.length)
      : this.now.groups.flat().length === this.size;
    return all && (!state.good || this.now.good !== null);
  }

  /** Return the element of one answer. */
  article(text, place) {
    const body = el("div", { class: "text", lang: this.task.lang });
    if (!text) body.append(el("em", { class: "soft" }, say("empty")));
    else if (state.markdown) {
      body.classList.add("markdown");
      body.innerHTML = text; // rendered by the server, which escapes all HTML in it
    } else body.textContent = text;
    this.texts.push(body);
    const head = el("header", {}, el("h2", { id: `answer-${place}` }, `${say("answer")} ${letter(place)}`));
    if (!this.isRating) head.append(el("button", { class: "place", type: "button", "data-place": place, onclick: () => this.press(place) }));
    const article = el("article", { "aria-labelledby": `answer-${place}`, tabindex: 0, onfocusin: () => this.choose(place), onpointerdown: () => this.choose(place) }, head, body);
    if (this.isRating) article.append(this.ratings(place));
    return article;
  }

  /** Return the scales of one answer. */
  ratings(place) {
    const [low, high] = state.scale;
    const steps = Array.from({ length: high - low + 1 }, (_, step) => low + step);
    return el("div", { class: "ratings" }, ...state.dimensions.map(({ name, label }, number) =>
      el("fieldset", {}, el("legend", {}, label), ...steps.map((step) =>
        el("label", {}, el("input", {
          type: "radio", name: `rating-${place}-${number}`, value: step, "data-dimension": name,
          onchange: () => this.change(() => { this.now.ratings[place] = { ...this.now.ratings[place], [name]: step }; }),
        }), String(step))))));
  }

  /** Return what stands in the bar below the answers. */
  bar(abstain) {
    const parts = [];
    if (this.isPair) {
      const options = [["first_better", [[0], [1]]], ["equal", [[0, 1]]], ["second_better", [[1], [0]]]];
      this.options = options.map(([name, groups]) =>
        [groups, el("button", { type: "button", class: "option", onclick: () => this.change(() => { this.now.groups = groups; }) }, say(name))]);
      parts.push(...this.options.map(([, button]) => button));
    } else if (!this.isRating) {
      this.ranks = el("ol", { id: "ranks", "aria-label": say("order") });
      this.tray = el("ul", { id: "tray", "aria-label": say("tray") });
      this.tieButton = el("button", { id: "tie", type: "button", "aria-label": say("tie_label"), onclick: () => this.tie() }, `= ${say("tie")}`);
      const lists = el("div", { id: "lists" }, this.ranks, this.tray);
      dragChips(lists, (place, where, other) => this.drop(place, where, other));
      parts.push(lists);
    }
    this.undoButton = el("button", { id: "undo", type: "button", onclick: () => this.undo() }, say("undo"));
    this.sendButton = el("button", { id: "send", class: "primary", type: "button", onclick: () => this.send() }, say("send"));
    if (state.good) parts.push(this.goodQuestion());
    parts.push(el("span", { class: "spacer" }));
    if (this.tieButton) parts.push(this.tieButton);
    parts.push(this.undoButton, el("button", { id: "cannot", type: "button", onclick: abstain }, say("cannot")), this.sendButton);
    this.draw();
    return parts;
  }

  goodQuestion() {
    this.good = [true, false].map((value) =>
      [value, el("input", { type: "radio", name: "good", value: String(value), onchange: () => this.change(() => { this.now.good = value; }) })]);
    const labels = this.good.map(([value, input]) => el("label", {}, input, say(value ? "yes" : "no")));
    return el("fieldset", { id: "good" }, el("legend", {}, say("good")), ...labels);
  }

  /** Make a change that can be undone; draw and keep it. */
  change(action, told) {
    const before = JSON.stringify(this.now);
    action();
    if (JSON.stringify(this.now) === before) return this.draw();
    this.earlier.push(before);
    this.draw();
    this.changed(told?.());
  }

  undo() {
    if (!this.earlier.length) return;
    this.now = JSON.parse(this.earlier.pop());
    this.tieNext = false;
    this.draw();
    this.changed(say("undo"));
  }

  /** Place an answer next; take it out if it is placed. Of two answers, call it the better one. */
  press(place) {
    if (this.isRating || place >= this.size) return;
    if (this.isPair) return this.change(() => { this.now.groups = [[place], [1 - place]]; }, () => say("placed", { letter: letter(place), rank: 1 }));
    const { groups } = this.now;
    if (groupOf(groups, place) >= 0) return this.change(() => { this.now.groups = takeOut(groups, place); }, () => `${letter(place)}: ${say("take_out")}`);
    const tied = this.tieNext;
    this.tieNext = false;
    this.change(() => { this.now.groups = append(groups, place, tied); }, () => say("placed", { letter: letter(place), rank: rankOf(this.now.groups, place) }));
  }

  /** Tie: the focused chip with the one before it, else the next answer with the last. */
  tie() {
    if (this.isRating) return;
    if (this.isPair) return this.change(() => { this.now.groups = [[0, 1]]; }, () => say("equal"));
    const chip = document.activeElement?.closest("#ranks .chip");
    if (chip) return this.change(() => { this.now.groups = toggleTie(this.now.groups, Number(chip.dataset.place)); });
    this.tieNext = !this.tieNext && this.now.groups.length > 0;
    this.draw();
  }

  drop(place, where, other) {
    this.change(() => {
      const { groups } = this.now;
      this.now.groups = where === "tray" ? takeOut(groups, place) : where === "end" ? append(groups, place, false) : put(groups, place, where, other);
    });
  }

  /** Make an answer the current one, which full screen shows. */
  choose(place) {
    this.current = place;
    [...this.answers.children].forEach((article, number) => article.classList.toggle("current", number === place));
  }

  turn(step) {
    this.choose((this.current + step + this.size) % this.size);
    this.answers.children[this.current].focus({ preventScroll: this.answers.className === "one" });
  }

  /** Draw all that depends on what is chosen. */
  draw() {
    const { groups, ratings, good } = this.now;
    const focused = document.activeElement?.closest("#lists .chip")?.dataset.place;
    if (this.isPair) this.options.forEach(([option, button]) => button.setAttribute("aria-pressed", JSON.stringify(option.map((g) => [...g].sort())) === JSON.stringify(groups.map((g) => [...g].sort()))));
    else if (!this.isRating) this.drawChips(groups);
    this.answers.querySelectorAll(".place").forEach((button) => this.drawPlace(button, Number(button.dataset.place), groups));
    this.answers.querySelectorAll(".ratings input").forEach((input) => {
      const place = Number(input.name.split("-")[1]);
      input.checked = ratings[place][input.dataset.dimension] === Number(input.value);
    });
    this.good?.forEach(([value, input]) => { input.checked = good === value; });
    this.sendButton.disabled = !this.isComplete();
    this.undoButton.disabled = this.earlier.length === 0;
    if (focused !== undefined) document.querySelector(`#lists .chip[data-place="${focused}"]`)?.focus();
  }

  drawPlace(button, place, groups) {
    const placed = groupOf(groups, place) >= 0 && !(this.isPair && rankOf(groups, place) > 1);
    const rank = placed ? say("rank", { rank: rankOf(groups, place) }) : "";
    const label = this.isPair ? say("better") : placed ? `${rank} · ${say("take_out")}` : say("place");
    button.replaceChildren(label, " ", el("kbd", { "aria-hidden": "true" }, String(place + 1)));
    button.setAttribute("aria-label", `${letter(place)}: ${label}`);
    button.setAttribute("aria-pressed", placed && !(this.isPair && groups.length === 1));
  }

  drawChips(groups) {
    const placed = groups.flatMap((group) => group.map((place, number) => el("li", { class: number ? "tied" : "" }, this.chip(place, groups))));
    this.ranks.replaceChildren(...placed);
    const free = this.task.answers.map((_, place) => place).filter((place) => groupOf(groups, place) < 0);
    this.tray.replaceChildren(...free.map((place) => el("li", {}, this.chip(place, groups))));
    this.tieButton.setAttribute("aria-pressed", this.tieNext);
    this.tieButton.disabled = groups.length === 0 || free.length === 0;
  }

  chip(place, groups) {
    const isPlaced = groupOf(groups, place) >= 0;
    const values = { letter: letter(place), rank: isPlaced ? rankOf(groups, place) : "" };
    const chip = el("button", {
      class: isPlaced ? "chip" : "chip free", type: "button", "data-place": place,
      "aria-label": say(isPlaced ? "chip_placed" : "chip_free", values), onclick: () => this.press(place),
    }, letter(place));
    if (!isPlaced) return chip;
    chip.prepend(el("span", { class: "rank" }, String(values.rank)));
    chip.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.change(() => { this.now.groups = move(this.now.groups, place, step); }, () => say("placed", { letter: letter(place), rank: rankOf(this.now.groups, place) }));
    });
    return chip;
  }
}
