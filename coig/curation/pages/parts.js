// The texts of a triplet as people read them, with what has changed in them, and passages that can be chosen.

import { el, say } from "./web.js";

/** Return the number of characters of a text, as the server counts them: a rare character is one, not two. */
export const count = (text) => Array.from(text).length;

/** Make a text; `changes` are pieces [kind, text], of which removed ones are shown but do not count. */
function makeText(text, lang, changes) {
  const pieces = (changes ?? [["same", text]]).map(([kind, piece]) => (
    kind === "added" ? el("ins", {}, piece) : kind === "removed" ? el("del", {}, piece) : piece));
  return el("div", { class: "text", lang }, ...pieces);
}

/** A part of a triplet: one text, or the five kinds of decisions under their headings. */
export class Part {
  /** `pieces` are {heading?, text, changes?}; the part's text is theirs, with an empty line between them. */
  constructor(name, pieces, lang) {
    this.name = name;
    this.text = pieces.map((piece) => piece.text).join("\n\n");
    this.characters = Array.from(this.text);
    let start = 0;
    this.pieces = pieces.map(({ heading, text, changes }) => {
      const piece = { heading, start, box: makeText(text, lang, changes) };
      start += count(text) + 2;
      return piece;
    });
    this.nodes = this.pieces.flatMap(({ heading, box }) => (heading ? [el("h3", {}, heading), box] : [box]));
    this.chosen = null; // {start, end} of the passage that is selected
  }

  /** Return the place of a point of the page in the part's text; null if it is not in it. */
  placeOf(node, offset) {
    const piece = this.pieces.find(({ box }) => box.contains(node));
    if (!piece) return null;
    const range = document.createRange();
    range.setStart(piece.box, 0);
    range.setEnd(node, offset);
    const before = range.cloneContents();
    before.querySelectorAll("del").forEach((removed) => removed.remove());
    return piece.start + count(before.textContent);
  }

  /** Note which passage is selected, if the selection is in this part. */
  noteSelection() {
    const selection = getSelection();
    if (!selection.rangeCount) return;
    const { startContainer, startOffset, endContainer, endOffset, collapsed } = selection.getRangeAt(0);
    const [start, end] = [this.placeOf(startContainer, startOffset), this.placeOf(endContainer, endOffset)];
    if (start === null || end === null) return;
    this.chosen = collapsed || start === end ? null : { start, end };
  }

  /** Return the ranges of the page that hold the characters from `start` to `end`. */
  rangesOf({ start, end }) {
    const ranges = [];
    for (const piece of this.pieces) {
      let place = piece.start;
      const walker = document.createTreeWalker(piece.box, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.parentElement.localName === "del") continue;
        const characters = Array.from(node.data);
        const [from, to] = [start - place, end - place].map((at) => Math.min(Math.max(at, 0), characters.length));
        place += characters.length;
        if (from >= to) continue;
        const range = document.createRange();
        range.setStart(node, characters.slice(0, from).join("").length);
        range.setEnd(node, characters.slice(0, to).join("").length);
        ranges.push(range);
      }
    }
    return ranges;
  }
}

/** Make the parts of a task's triplet: {prompt, reasoning, article}; `changes` has those of each piece that changed. */
export function makeParts({ pieces, lang, changes = {} }, categories) {
  const piece = (name, heading) => ({ heading, text: pieces[name], changes: changes[name] });
  return {
    prompt: new Part("prompt", [piece("prompt")], lang),
    reasoning: new Part("reasoning", categories.map((name) => piece(name, say(name))), lang),
    article: new Part("article", [piece("article")], lang),
  };
}

/** Make the card of a part: its name, something beside it, its text, and something below. */
export function makeCard(part, beside = [], below = []) {
  const id = `part-${part.name}`;
  return el("article", { class: "part", "aria-labelledby": id },
    el("header", {}, el("h2", { id }, say(part.name)), ...beside), ...part.nodes, ...below);
}
