// Ask why answers cannot be judged. Nothing is chosen beforehand.

import { el, say, state } from "./web.js";

const LABELS = { empty: "empty reason", refused: "refused reason" };

/** Show the dialog; return {reason, about, note}, or null if it is closed without an answer. */
export function askAbstention(dialog, task) {
  const send = el("button", { class: "primary", value: "send", disabled: true }, say("send"));
  const reasons = state.reasons.map((reason) =>
    el("label", {}, el("input", { type: "radio", name: "reason", value: reason, onchange: () => { send.disabled = false; } }), say(LABELS[reason] ?? reason)));
  const about = task.answers.map((_, place) =>
    el("label", {}, el("input", { type: "checkbox", name: "about", value: place }), letter(place)));
  const note = el("textarea", { name: "note", id: "note", maxlength: 500, rows: 2 });
  const form = el("form", { method: "dialog" },
    el("fieldset", {}, el("legend", { id: "abstain-heading" }, say("why_not")), ...reasons),
    ...(state.protocol === "rating" ? [] : [el("fieldset", {}, el("legend", {}, say("about")), ...about)]),
    el("p", {}, el("label", { for: "note" }, say("note")), el("br"), note),
    el("p", {}, send, " ", el("button", { value: "", formnovalidate: true }, say("close"))));
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = new FormData(form);
      const reason = given.get("reason");
      resolve(dialog.returnValue === "send" && reason
        ? { reason, about: given.getAll("about").map(Number), note: note.value } : null);
    }, { once: true });
  });
}

/** Return the letter of a place on the page. */
export function letter(place) {
  return String.fromCharCode(65 + place);
}
