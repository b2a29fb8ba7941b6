// Looking again at an article that the judge rejected, and that was drawn for this.

import { Part, makeCard } from "./parts.js";
import { el, say } from "./web.js";

export class RecheckForm {
  constructor(task, draft, { changed }) {
    this.fit = draft.fit ?? null;
    this.why = el("textarea", { id: "why", rows: 3 });
    this.why.value = draft.why ?? "";
    this.why.addEventListener("input", () => changed());
    const inputs = [true, false].map((fit) => el("input", {
      type: "radio", name: "fit", value: String(fit), checked: fit === this.fit, onchange: () => {
        this.fit = fit;
        changed();
      },
    }));
    this.left = [makeCard(new Part("article", [{ text: task.collected }], task.lang))];
    this.right = [
      el("p", {}, say("hint_recheck")),
      el("fieldset", {}, el("legend", {}, say("fit_question")), ...inputs.map((input) => el("label", {}, input, say(input.value)))),
      el("div", { class: "label" }, el("label", { for: "why" }, say("reason"))), this.why,
    ];
  }

  countMissing() { return this.fit === null ? 1 : 0; }
  chosen() { return { fit: this.fit, why: this.why.value }; }
  act() {
    const why = this.why.value.trim();
    return { fit: this.fit, ...(why ? { why } : {}) };
  }
}
