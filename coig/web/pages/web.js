// What the scripts of all pages share: elements, texts, requests, and an outbox that survives a lost network.

export const state = JSON.parse(document.getElementById("state").textContent);
const AFTER_CLICK = 400; // milliseconds from a pointer's going up until its click has been handled, on any device
const base = location.pathname.replace(/\/$/, "");

/** Return a text of the page, with {names} replaced. */
export function say(name, values = {}) {
  return state.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Make an element; properties that start with "on" are listeners, others attributes; children are nodes or text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return the hour and minute of now, as 12:03. */
export function clock() {
  const now = new Date();
  return [now.getHours(), now.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** Return a random key of 32 letters and digits; crypto.randomUUID needs https. */
export function makeKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The browser's storage of this page; where there is none, nothing is kept and `set` returns false. */
export const kept = {
  get(name) {
    try { return JSON.parse(localStorage.getItem(`${base}:${name}`)); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`${base}:${name}`);
      else localStorage.setItem(`${base}:${name}`, JSON.stringify(value));
      return true;
    } catch { return false; }
  },
};

/** A request that the server refused. */
export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
  /** Whether sending it again could help. */
  get passing() { return this.status >= 500 || this.status === 408 || this.status === 429; }
}

/** Get JSON from a path below this page's address, or post `body` there. */
export async function request(path, body, options = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json", "X-CSRF": state.csrf };
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(base + path, { headers, ...sent, ...options });
  if (response.ok) return response.json();
  const told = await response.text();
  let message = told;
  try { message = JSON.parse(told).error; } catch { /* the text is the message */ }
  throw new Refused(response.status, message);
}

/** Messages that must reach the server, in order, each once. They are kept until it has acknowledged them. */
export class Outbox {
  /** `replied(reply, body)`, `refused(error, body)` and `changed(entries, isOffline)` are called as messages come and go. */
  constructor({ replied, refused, changed }) {
    Object.assign(this, { replied, refused, changed, wait: 1000, busy: false, isOffline: false });
    this.entries = kept.get("outbox") ?? [];
    addEventListener("online", () => this.flush());
  }
  add(path, body) {
    this.entries.push({ path, body });
    this.flush();
  }
  async flush() {
    this.store();
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    while (this.entries.length) {
      const { path, body } = this.entries[0];
      try {
        const reply = await request(path, body);
        this.isOffline = false;
        this.entries.shift();
        this.wait = 1000;
        this.store();
        this.replied(reply, body);
      } catch (error) {
        if (error instanceof Refused && !error.passing) {
          if (error.status !== 403) this.entries.shift(); // with 403 a new link may still send it
          this.store();
          this.refused(error, body);
          if (error.status === 403) break;
        } else {
          this.isOffline = true;
          this.timer = setTimeout(() => this.flush(), this.wait);
          this.wait = Math.min(2 * this.wait, 30000);
          break;
        }
      }
    }
    this.busy = false;
    this.store();
  }
  store() {
    kept.set("outbox", this.entries.length ? this.entries : null);
    this.changed(this.entries, this.isOffline);
  }
}

/** Changes of an element's content that wait while somebody acts on it: while a pointer is down, or the focus is within. */
export class Calm {
  constructor(element) {
    Object.assign(this, { element, down: new Set(), waiting: null });
    const settle = () => setTimeout(() => this.settle(), AFTER_CLICK);
    addEventListener("pointerdown", ({ pointerId }) => this.down.add(pointerId), { capture: true });
    for (const name of ["pointerup", "pointercancel"]) {
      addEventListener(name, ({ pointerId }) => { this.down.delete(pointerId); settle(); }, { capture: true });
    }
    element.addEventListener("focusout", settle);
  }
  get isBusy() { return this.down.size > 0 || this.element.matches(":focus-within"); }
  /** Make a change as soon as nobody acts on the element; it takes the place of one that waits. */
  run(change) {
    this.waiting = change;
    this.settle();
  }
  settle() {
    if (!this.waiting || this.isBusy) return;
    const change = this.waiting;
    this.waiting = null;
    change();
  }
}

/** Let a button switch between the system's theme, light and dark, and remember the choice. */
export function themeButton(button) {
  const themes = ["", "light", "dark"];
  const show = (theme) => { document.documentElement.dataset.theme = theme; };
  show(kept.get("theme") ?? "");
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
    show(next);
    kept.set("theme", next || null);
  });
}

/** Let a slider set the size of the texts that are read, and remember it. */
export function sizeSlider(slider) {
  const show = () => document.documentElement.style.setProperty("--reading", `${slider.value}rem`);
  slider.value = kept.get("size") ?? 1;
  slider.addEventListener("input", () => { show(); kept.set("size", slider.value); });
  show();
}
