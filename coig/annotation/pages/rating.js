// How good is each answer, on several dimensions?

import { makeScale } from "./scale.js";
import { el, state } from "./web.js";

export class RatingPanel {
  constructor(choices) {
    this.choices = choices;
    this.scales = []; // {box, inputs, place, name}, in the order of the page
    this.bar = [];
    this.actions = [];
  }
  headOf() { return []; }
  footOf(place) {
    return [el("div", { class: "ratings" }, ...state.dimensions.map((dimension, number) => this.makeScale(place, dimension, number)))];
  }

  makeScale(place, { name, label }, number) {
    const scale = makeScale(`rating-${place}-${number}`, label, state.scale, (step) => this.rate(place, name, step));
    this.scales.push({ ...scale, place, name });
    return scale.fieldset;
  }

  rate(place, name, step) {
    this.choices.change({
      ratings: this.choices.now.ratings.map((ratings, other) => (other === place ? { ...ratings, [name]: step } : ratings)),
    });
  }
  countMissing() {
    const { ratings } = this.choices.now;
    return ratings.length * state.dimensions.length - ratings.reduce((sum, one) => sum + Object.keys(one).length, 0);
  }

  /** Rate the focused scale, or else the first open one, and go on to the next. */
  digit(step) {
    const focused = this.scales.findIndex(({ box }) => box.contains(document.activeElement));
    const open = this.scales.findIndex(({ place, name }) => this.choices.now.ratings[place][name] === undefined);
    const at = focused >= 0 ? focused : open;
    if (at < 0 || step < state.scale[0] || step > state.scale[1]) return;
    this.rate(this.scales[at].place, this.scales[at].name, step);
    const { inputs } = this.scales[Math.min(at + 1, this.scales.length - 1)];
    (inputs.find((input) => input.checked) ?? inputs[0]).focus();
  }
  tie() { /* equal ratings are a tie */ }

  draw() {
    for (const { inputs, place, name } of this.scales) {
      for (const input of inputs) input.checked = this.choices.now.ratings[place][name] === Number(input.value);
    }
  }
}
