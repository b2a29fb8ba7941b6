// Ask why answers cannot be judged. Nothing is chosen beforehand.

import { letter } from "./answers.js";
import { el, say, state } from "./web.js";

const LABELS = { empty: "empty reason", refused: "refused reason" };

/** Show the dialog; return {reason, about, note}, or null if it is closed without an answer. */
export function askAbstention(dialog, task) {
  const send = el("button", { class: "primary", value: "send", disabled: true }, say("send"));
  const reasons = state.reasons.map((reason) => el("label", {}, el("input", {
    type: "radio", name: "reason", value: reason, onchange: () => { send.disabled = false; },
  }), say(LABELS[reason] ?? reason)));
  const about = task.answers.map((_, place) =>
    el("label", {}, el("input", { type: "checkbox", name: "about", value: place }), letter(place)));
  const form = el("form", { method: "dialog" },
    el("fieldset", { class: "choices" }, el("legend", { id: "abstain-heading" }, say("why_not")), ...reasons),
    state.protocol === "rating" ? "" : el("fieldset", {}, el("legend", {}, say("about")), ...about),
    el("p", {}, el("label", { for: "note" }, say("note")), el("textarea", { name: "note", id: "note", maxlength: 500, rows: 2 })),
    el("p", { class: "buttons" }, el("button", { value: "", formnovalidate: true }, say("close")), send));
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = new FormData(form);
      const isSent = dialog.returnValue === "send" && given.has("reason");
      resolve(isSent ? { reason: given.get("reason"), about: given.getAll("about").map(Number), note: given.get("note") } : null);
    }, { once: true });
  });
}
