// Reviewing a triplet: comments at passages, and a decision with its reason.

import { makeCard, makeParts } from "./parts.js";
import { makeRounds, shorten } from "./rounds.js";
import { el, say, state } from "./web.js";

const DECISIONS = ["accept", "refine", "remove"];

export class ReviewForm {
  constructor(task, draft, { changed }) {
    this.lang = task.lang;
    this.changed = changed;
    this.comments = [...(draft.comments ?? [])];
    this.decision = draft.decision ?? null;
    this.parts = makeParts(task, state.categories);
    this.list = el("ul", { id: "comments", "aria-label": say("comments") });
    this.why = el("textarea", { id: "why", rows: 2 });
    this.why.value = draft.why ?? "";
    this.why.addEventListener("input", () => changed());
    const cards = Object.values(this.parts).map((part) => makeCard(part, [this.makeButton(part)]));
    const [prompt, reasoning, article] = cards;
    this.left = [article];
    this.right = [...makeRounds(task.rounds, task.lang), ...this.makeNote(task), prompt, reasoning, ...this.makeQuestions()];
    this.draw();
  }

  noteSelection() {
    for (const part of Object.values(this.parts)) part.noteSelection();
  }

  makeNote({ changes }) {
    return Object.keys(changes).length ? [el("p", { class: "soft", id: "changes" }, say("changes"))] : [];
  }

  /** Make the button that comments on the selected passage of a part, or on the whole of it. */
  makeButton(part) {
    const stay = (event) => event.preventDefault(); // the selection stays
    return el("button", { type: "button", class: "comment", "data-part": part.name, onpointerdown: stay, onmousedown: stay, onclick: () => this.comment(part) }, say("comment"));
  }

  makeQuestions() {
    const inputs = DECISIONS.map((decision) => el("input", {
      type: "radio", name: "decision", value: decision, checked: decision === this.decision, onchange: () => {
        this.decision = decision;
        this.changed();
      },
    }));
    return [
      el("h2", {}, say("comments")), this.list, el("p", { class: "soft" }, say("hint_comment")),
      el("fieldset", { id: "decision" }, el("legend", {}, say("decision")), ...inputs.map((input) => el("label", {}, input, say(input.value)))),
      el("div", { class: "label" }, el("label", { for: "why" }, say("reason")), el("p", { class: "soft", id: "hint-reason" }, say("hint_reason"))),
      this.why,
    ];
  }

  /** Ask for a comment, and add it. */
  comment(part) {
    const { start, end } = part.chosen ?? { start: 0, end: part.characters.length };
    const dialog = document.getElementById("comment");
    const field = el("textarea", { id: "comment-text", rows: 3, required: true });
    const quote = el("blockquote", { lang: this.lang }, shorten(part.characters.slice(start, end).join("")));
    dialog.replaceChildren(el("form", { method: "dialog" },
      el("h2", { id: "comment-heading" }, say(part.chosen ? "comment_passage" : "comment_whole", { part: say(part.name) })), quote,
      el("label", { for: "comment-text" }, say("comment")), field,
      el("p", { class: "buttons" }, el("button", { value: "", formnovalidate: true }, say("close")), el("button", { class: "primary", value: "add" }, say("add")))));
    dialog.returnValue = "";
    dialog.showModal();
    field.focus();
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "add" || !field.value.trim()) return;
      this.comments.push({ part: part.name, start, end, comment: field.value.trim() });
      part.chosen = null;
      this.draw();
      this.changed();
    }, { once: true });
  }

  /** Draw the comments, and mark their passages. */
  draw() {
    this.list.replaceChildren(...this.comments.map((one, number) => el("li", {},
      `${say(one.part)} `, el("q", { lang: this.lang }, shorten(this.parts[one.part].characters.slice(one.start, one.end).join(""))),
      el("br"), one.comment, " ",
      el("button", { type: "button", "aria-label": say("take_away_label", { comment: one.comment }), onclick: () => this.takeAway(number) }, say("take_away")))));
    if (!this.comments.length) this.list.append(el("li", { class: "soft" }, say("no_comments")));
    const passages = this.comments.filter(({ part, start, end }) => end - start < this.parts[part].characters.length);
    const ranges = passages.flatMap((one) => this.parts[one.part].rangesOf(one));
    if (globalThis.Highlight) CSS.highlights.set("comments", new Highlight(...ranges));
  }

  takeAway(number) {
    this.comments.splice(number, 1);
    this.draw();
    this.changed();
  }

  /** A decision is missing, or what to refine, or why it is removed. */
  countMissing() {
    const why = this.why.value.trim();
    const isSilent = (this.decision === "refine" && !why && !this.comments.length) || (this.decision === "remove" && !why);
    return this.decision === null || isSilent ? 1 : 0;
  }
  chosen() { return { decision: this.decision, comments: this.comments, why: this.why.value }; }
  act() {
    const why = this.why.value.trim();
    return { decision: this.decision, comments: this.comments, ...(why ? { why } : {}) };
  }
}
