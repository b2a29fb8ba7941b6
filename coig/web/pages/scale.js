// A scale of a few steps, of which one is chosen. None is chosen beforehand.

import { el } from "./web.js";

/** Make a scale from `low` to `high`; `chosen(step)` is called when a step is chosen. */
export function makeScale(name, label, [low, high], chosen) {
  const steps = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  const inputs = steps.map((step) => el("input", { type: "radio", name, value: step, onchange: () => chosen(step) }));
  const labels = inputs.map((input) => el("label", {}, input, el("span", {}, input.value)));
  const box = el("div", { class: "scale" }, ...labels);
  return { fieldset: el("fieldset", {}, el("legend", {}, label), box), box, inputs };
}
