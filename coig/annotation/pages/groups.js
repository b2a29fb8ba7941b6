// A ranking as groups of places, best group first; answers of one group tie. All functions return new groups.

/** Return the place's group number, −1 if it is not placed. */
export const groupOf = (groups, place) => groups.findIndex((group) => group.includes(place));

/** Return a place's rank as in sports: two firsts are followed by a third. */
export function rankOf(groups, place) {
  const number = groupOf(groups, place);
  return groups.slice(0, number).reduce((sum, group) => sum + group.length, 1);
}

export function takeOut(groups, place) {
  return groups.map((group) => group.filter((one) => one !== place)).filter((group) => group.length);
}

/** Place an answer behind all others, or tie it with the last. */
export function append(groups, place, tied) {
  const rest = takeOut(groups, place);
  return tied && rest.length ? [...rest.slice(0, -1), [...rest.at(-1), place]] : [...rest, [place]];
}

/** Put an answer before, onto (tied with) or after another one. */
export function put(groups, place, where, other) {
  const rest = takeOut(groups, place);
  const number = groupOf(rest, other);
  if (number < 0) return append(groups, place, false);
  if (where === "onto") return rest.map((group, index) => (index === number ? [...group, place] : group));
  const at = where === "before" ? number : number + 1;
  return [...rest.slice(0, at), [place], ...rest.slice(at)];
}

/** Move an answer one step towards the best (−1) or the worst (1): out of a tie, or past its neighbour. */
export function move(groups, place, step) {
  const number = groupOf(groups, place);
  const rest = takeOut(groups, place);
  const alone = groups[number].length === 1;
  const at = Math.min(rest.length, Math.max(0, alone ? number + step : number + (step > 0 ? 1 : 0)));
  return [...rest.slice(0, at), [place], ...rest.slice(at)];
}

/** Tie an answer with the one before it; take it out of its tie if it is in one. */
export function toggleTie(groups, place) {
  const number = groupOf(groups, place);
  if (groups[number].length > 1) return move(groups, place, 1);
  return number > 0 ? put(groups, place, "onto", groups[number - 1][0]) : groups;
}
