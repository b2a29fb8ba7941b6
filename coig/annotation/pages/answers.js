// The answers of one task on the page: side by side, one below the other, or one at a time.

import { el, kept, say, state } from "./web.js";

const VIEWS = ["columns", "list", "one"];
const isWide = () => innerWidth >= 900;

/** Return the letter of a place on the page. */
export const letter = (place) => String.fromCharCode(65 + place);

export class Answers {
  /** Show a task's answers; the panel adds to each what is asked about it. */
  constructor(task, panel) {
    this.texts = task.answers.map((text) => makeText(text, task.lang));
    this.articles = this.texts.map((text, place) => this.makeArticle(text, place, panel));
    this.box = el("section", { id: "answers", "aria-label": say("answers") }, ...this.articles);
    this.box.addEventListener("scrollend", () => {
      if (this.view === "one") this.choose(Math.round(this.box.scrollLeft / this.box.clientWidth)); // after a swipe
    });
    this.setView(kept.get("view") ?? (isWide() ? "columns" : "one"));
    this.choose(0);
  }

  makeArticle(text, place, panel) {
    const id = `answer-${place}`;
    const step = (by, sign, name) => el("button", {
      class: "step", type: "button", "aria-label": say(name), title: say(name), onclick: () => this.turn(by, place),
    }, sign);
    const header = el("header", {},
      step(-1, "‹", "answer_before"), el("h2", { id }, `${say("answer")} ${letter(place)}`), step(1, "›", "answer_after"),
      ...panel.headOf(place));
    const choose = () => this.choose(place);
    return el("article", { "aria-labelledby": id, tabindex: 0, onfocusin: choose, onpointerdown: choose },
      header, text, ...panel.footOf(place));
  }

  /** Make an answer the current one. */
  choose(place) {
    this.current = place;
    this.articles.forEach((article, number) => article.classList.toggle("current", number === place));
  }

  /** Go some answers on from the current one or from `place`, round the end. */
  turn(by, place = this.current) {
    const next = this.articles[(place + by + this.articles.length) % this.articles.length];
    next.scrollIntoView({ block: this.view === "list" ? "start" : "nearest", inline: "start" });
    next.focus({ preventScroll: true });
  }

  setView(view) {
    this.view = view;
    this.box.className = view;
    kept.set("view", view);
    this.articles[this.current]?.scrollIntoView({ block: "nearest", inline: "start" });
  }

  nextView() {
    this.setView(VIEWS[(VIEWS.indexOf(this.view) + 1) % VIEWS.length]);
  }

  /** Show one answer at a time, or all of them again. */
  toggleFull() {
    this.setView(this.view !== "one" ? "one" : isWide() ? "columns" : "list");
  }
}

function makeText(text, lang) {
  const body = el("div", { class: "text", lang });
  if (!text) body.append(el("em", { class: "soft" }, say("empty")));
  else if (state.markdown) {
    body.classList.add("markdown");
    body.innerHTML = text; // rendered by the server, which escapes all HTML in it
  } else body.textContent = text;
  return body;
}
