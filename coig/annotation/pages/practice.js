// A short training round before the first task: examples whose answers we know, with feedback. Nothing of it is stored.

import { letter } from "./answers.js";
import { groupOf } from "./groups.js";
import { el, say, state } from "./web.js";

/** Return the examples for a rater who reads these languages, in the interface's language if it is one of them. */
export function findExamples(langs) {
  const own = document.documentElement.lang.slice(0, 2);
  return state.practice[langs.includes(own) ? own : langs[0]] ?? [];
}

/** Say what we think of an example beside what the rater chose; resolve when the rater goes on. */
export function giveFeedback(dialog, example, chosen) {
  const ours = example.ranks === null ? say("cannot") : writeOrder(example.ranks);
  const theirs = chosen.reason === undefined ? writeOrder(ranksOf(chosen, example.answers.length)) : say("cannot");
  const isSame = theirs === ours;
  const go = el("button", { class: "primary", autofocus: true }, say("go_on"));
  dialog.replaceChildren(
    el("h2", { id: "feedback-heading" }, say(isSame ? "same" : "not_same")),
    isSame ? "" : el("p", {}, say("ours"), " ", el("strong", { id: "ours" }, ours)),
    el("p", { lang: example.lang }, example.why),
    el("form", { method: "dialog", class: "buttons" }, go),
  );
  dialog.showModal();
  return new Promise((resolve) => { dialog.addEventListener("close", resolve, { once: true }); });
}

/** Return a number for each of `size` answers, lower is better: its group, or minus the sum of its ratings. */
function ranksOf({ groups, ratings }, size) {
  if (ratings.length) return ratings.map((one) => -Object.values(one).reduce((sum, rating) => sum + rating, 0));
  return Array.from({ length: size }, (_, place) => {
    const group = groupOf(groups, place);
    return group < 0 ? groups.length : group; // what is not placed comes last
  });
}

/** Write an order as B > A = C. */
function writeOrder(ranks) {
  const levels = [...new Set(ranks)].sort((one, other) => one - other);
  return levels.map((level) => ranks.map((rank, place) => (rank === level ? letter(place) : "")).filter(Boolean).join(" = ")).join(" > ");
}
