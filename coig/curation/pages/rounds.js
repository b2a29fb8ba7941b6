// What was said of a triplet's earlier versions: scores that were too low, decisions and comments.

import { el, say } from "./web.js";

/** Make the list of rounds, newest first; the first is open. */
export function makeRounds(rounds, lang) {
  return rounds.map((round, number) => el("details", { class: "round", open: number === 0 },
    el("summary", {}, say("said_of", { number: round.version })),
    ...(round.means ? [makeScores(round)] : []),
    ...round.reviews.map((review) => makeReview(review, lang))));
}

function makeScores({ means, total, least, least_sum: leastSum }) {
  const low = Object.entries(means).filter(([, mean]) => mean < least).map(([name, mean]) => `${say(name)} ${round(mean)}`);
  const told = say("scored_sum", { total: round(total), least: leastSum });
  return el("p", {}, told, low.length ? ` ${say("scored_low", { names: low.join(say("comma")), least })}` : "");
}

function makeReview({ decision, why, comments }, lang) {
  return el("div", { class: "said" },
    el("p", {}, el("strong", {}, say(decision)), why ? `${say("colon")}${why}` : ""),
    comments.length ? el("ul", {}, ...comments.map((one) => el("li", {},
      `${say(one.part)} `, el("q", { lang }, shorten(one.passage)), el("br"), one.comment))) : "");
}

/** Return the beginning and the end of a long passage. */
export function shorten(passage) {
  const characters = Array.from(passage);
  return characters.length > 80 ? `${characters.slice(0, 50).join("")} … ${characters.slice(-25).join("")}` : passage;
}

const round = (value) => String(Math.round(value * 100) / 100);
