// What a page says of its work being saved, and the drafts that it keeps until they are sent.

import { Outbox, Refused, clock, kept, request, say } from "./web.js";

const SOON = 1500; // milliseconds after a change, until the server gets the draft
const box = document.getElementById("saved");

/** Show a short message in the bar above. */
export function tell(message, { alarm = false, waiting = false } = {}) {
  box.textContent = message;
  box.classList.toggle("alarm", alarm);
  if (waiting) box.dataset.waiting = "yes";
  else delete box.dataset.waiting;
}

/** Say that what was chosen or written is saved. */
export function tellSaved() {
  tell(say("saved", { time: clock() }));
}

/** Say that the server did not accept something. */
export function tellRefused(error) {
  tell(say("refused", { error: error.message }), { alarm: true });
}

/** Make an outbox that says how many messages wait, and that the last one was saved. */
export function makeOutbox(replied, refused) {
  return new Outbox({
    replied,
    refused,
    changed(entries, isOffline) {
      if (entries.length) tell(say(isOffline ? "waiting" : "sending", { count: entries.length }), { waiting: true });
      else if (box.dataset.waiting) tellSaved();
    },
  });
}

/** What is chosen or written and not sent yet: kept on this device at once, and on the server soon. */
export class Drafts {
  constructor() {
    addEventListener("pagehide", () => this.flush(true));
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.flush(true); });
  }

  /** Return the newer one of the draft of this name on this device and the server's. */
  newer(name, stored) {
    const local = kept.get(`draft:${name}`);
    return (local?.at ?? 0) > (stored?.at ?? 0) ? local : stored;
  }

  /** Keep a draft on this device; return whether that is possible. */
  hold(name, draft) {
    return kept.set(`draft:${name}`, { ...draft, at: Date.now() });
  }

  /** Keep what `make()` returns; `about` tells the server of what it is the draft. */
  keep(name, about, make) {
    const isKept = this.hold(name, make());
    if (isKept) tellSaved();
    this.stop();
    this.waiting = { about, make, isOnlyCopy: !isKept };
    this.timer = setTimeout(() => this.flush(), isKept ? SOON : 0);
  }

  /** Send the draft that waits to the server; without a network, the one on this device must do. */
  async flush(keepalive = false) {
    if (!this.waiting) return;
    const { about, make, isOnlyCopy } = this.waiting;
    this.stop();
    try {
      await request("/draft", { ...about, draft: make(), at: Date.now() }, { keepalive });
      if (isOnlyCopy) tellSaved();
    } catch (error) {
      if (isOnlyCopy || error instanceof Refused) tellRefused(error);
    }
  }

  /** Send no draft that still waits. */
  stop() {
    clearTimeout(this.timer);
    this.waiting = null;
  }

  /** Remove the draft of this name from this device. */
  forget(name) {
    this.stop();
    kept.set(`draft:${name}`, null);
  }
}
