// Writing a triplet: the article beside the prompt and the five kinds of decisions, with live counts.

import { count } from "./parts.js";
import { makeRounds } from "./rounds.js";
import { el, say, state } from "./web.js";

export class WriteForm {
  /** Begin with the draft, or else the last version. `changed()` is called after each change, `ask()` gets a model's draft. */
  constructor(task, draft, { changed, ask }) {
    this.task = task;
    const first = { ...task.pieces, ...draft };
    this.isBegun = Object.keys(draft).length > 0;
    this.fields = Object.fromEntries(["prompt", ...state.categories].map((name) => [name, this.makeField(name, first[name] ?? "")]));
    this.article = this.makeField("article", first.article ?? task.collected);
    this.why = task.version ? this.makeField("why", first.why ?? "") : null;
    this.counters = Object.fromEntries(Object.keys(state.ranges).map((part) => [part, el("span", { class: "counter", id: `count-${part}` })]));
    this.model = task.model;
    this.left = [this.makeArticle()];
    this.right = [...makeRounds(task.rounds, task.lang), ...this.makeOffer(ask, changed), ...this.makeForm()];
    this.changed = changed;
    for (const field of this.all()) this.listen(field);
    this.draw();
  }

  all() { return [...Object.values(this.fields), this.article, ...(this.why ? [this.why] : [])]; }

  makeField(name, value) {
    const field = el("textarea", { id: `field-${name}`, lang: name === "why" ? null : this.task.lang, rows: name === "article" ? 12 : 3, spellcheck: "false" });
    field.value = value;
    return field;
  }

  /** Notice changes, but not the letters of which an input method composes a character. */
  listen(field) {
    const note = () => {
      this.draw();
      this.changed();
    };
    field.addEventListener("input", (event) => { if (!event.isComposing) note(); });
    field.addEventListener("compositionend", note);
  }

  /** Make the article, which can be changed where it must be, for example to remove somebody's name. */
  makeArticle() {
    const text = el("div", { class: "text", lang: this.task.lang });
    const button = el("button", { type: "button", id: "edit-article" }, say("edit_article"));
    const show = (isEdited) => {
      text.textContent = this.article.value;
      text.hidden = isEdited;
      this.article.hidden = !isEdited;
      button.setAttribute("aria-pressed", isEdited);
    };
    button.addEventListener("click", () => { show(this.article.hidden); if (!this.article.hidden) this.article.focus(); });
    this.article.setAttribute("aria-labelledby", "part-article");
    show(false);
    return el("article", { class: "part", "aria-labelledby": "part-article" },
      el("header", {}, el("h2", { id: "part-article" }, say("article")), this.counters.article, button),
      this.task.title ? el("h3", { lang: this.task.lang }, this.task.title) : "",
      this.task.personal.length ? el("p", { class: "alarm", id: "personal" }, say("personal", { found: this.task.personal.join(say("comma")) })) : "",
      text, this.article);
  }

  /** Offer a model's draft as long as nothing is written. */
  makeOffer(ask, changed) {
    if (this.model) return [el("p", { class: "soft", id: "drafted" }, say("drafted", { model: this.model.model }))];
    if (!state.model || this.isBegun || this.task.version) return [];
    const note = el("p", { class: "soft" }, say("offer_note", { model: state.model }));
    const button = el("button", { type: "button", id: "ask-model" }, say("offer"));
    const box = el("div", { id: "offer" }, button, note);
    button.addEventListener("click", async () => {
      button.disabled = true;
      const model = await ask();
      button.disabled = false;
      if (!model || !box.isConnected) return;
      this.model = model;
      for (const [name, field] of Object.entries(this.fields)) if (!field.value.trim()) field.value = model[name];
      box.replaceWith(el("p", { class: "soft", id: "drafted" }, say("drafted", { model: model.model })));
      this.draw();
      changed();
    });
    return [box];
  }

  makeForm() {
    const label = (name, counter = "", hint = "") => el("div", { class: "label" },
      el("label", { for: `field-${name}` }, say(name)), counter, hint ? el("p", { class: "soft", id: `hint-${name}` }, hint) : "");
    const { prompt, ...decisions } = this.fields;
    prompt.setAttribute("aria-describedby", "hint-prompt count-prompt");
    return [
      label("prompt", this.counters.prompt, say("hint_prompt")), prompt,
      el("div", { class: "label" }, el("h2", {}, say("reasoning")), this.counters.reasoning, el("p", { class: "soft" }, say("hint_reasoning"))),
      ...Object.entries(decisions).flatMap(([name, field]) => {
        field.setAttribute("aria-describedby", `hint-${name}`);
        return [label(name, "", say(`hint_${name}`)), field];
      }),
      ...(this.why ? [label("why", "", say("hint_why")), this.why] : []),
      ...this.task.versions.map(({ number, why, pieces }) => el("details", { class: "round" },
        el("summary", {}, say("your_version", { number, why })),
        ...["prompt", ...state.categories].flatMap((name) => [el("h3", {}, say(name)), el("div", { class: "text", lang: this.task.lang }, pieces[name])]))),
    ];
  }

  /** Return the texts of the three parts, as the server joins them. */
  parts() {
    const { prompt, ...decisions } = this.fields;
    const reasoning = Object.values(decisions).map((field) => field.value.trim());
    return { prompt: prompt.value.trim(), reasoning: reasoning.some(Boolean) ? reasoning.join("\n\n") : "", article: this.article.value.trim() };
  }

  /** Show the numbers of characters beside those of the paper's triplets. */
  draw() {
    for (const [part, text] of Object.entries(this.parts())) {
      const [low, high] = state.ranges[part], now = count(text);
      const fit = now < low ? "short" : now > high ? "long" : "fit";
      this.counters[part].dataset.fit = fit;
      this.counters[part].textContent = say(fit, { now: now.toLocaleString(), low: low.toLocaleString(), high: high.toLocaleString() });
    }
  }

  countMissing() {
    return Object.values(this.fields).filter((field) => !field.value.trim()).length + (this.why && !this.why.value.trim() ? 1 : 0);
  }
  chosen() {
    const values = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, field.value]));
    return { ...values, article: this.article.value, ...(this.why ? { why: this.why.value } : {}) };
  }
  act() {
    const isChanged = this.article.value.trim() && this.article.value !== this.task.collected;
    const { article, ...act } = this.chosen();
    return isChanged ? { ...act, article } : act;
  }
}
