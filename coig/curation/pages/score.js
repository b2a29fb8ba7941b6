// Scoring a triplet: quality and creativity of the article, the prompt and the reasoning.

import { makeCard, makeParts } from "./parts.js";
import { makeScale } from "./scale.js";
import { el, say, state } from "./web.js";

const STEPS = [1, 10];
const MEASURES = ["quality", "creativity"];

export class ScoreForm {
  constructor(task, draft, { changed }) {
    this.changed = changed;
    this.scores = { ...draft.scores };
    this.scales = [];
    const parts = makeParts(task, state.categories);
    this.sum = el("p", { id: "sum", role: "status" });
    this.left = [makeCard(parts.article, [], [this.makeScales("article")])];
    this.right = [
      makeCard(parts.prompt, [], [this.makeScales("prompt")]),
      makeCard(parts.reasoning, [], [this.makeScales("reasoning")]),
      this.sum,
    ];
    this.draw();
  }

  makeScales(part) {
    const scales = MEASURES.map((measure) => {
      const name = `${part}_${measure}`;
      const scale = makeScale(name, say(measure), STEPS, (step) => {
        this.scores[name] = step;
        this.draw();
        this.changed();
      });
      this.scales.push({ name, inputs: scale.inputs });
      return scale.fieldset;
    });
    return el("div", { class: "scores" }, ...scales);
  }

  draw() {
    for (const { name, inputs } of this.scales) for (const input of inputs) input.checked = this.scores[name] === Number(input.value);
    const given = Object.values(this.scores);
    this.sum.textContent = this.countMissing() ? say("score_hint") : say("sum", { sum: given.reduce((sum, one) => sum + one, 0) });
  }

  countMissing() { return this.scales.length - Object.keys(this.scores).length; }
  chosen() { return { scores: this.scores }; }
  act() { return this.scores; }
}
