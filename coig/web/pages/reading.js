// Measure reading: seconds on the screen, active seconds, and the share of each answer that came into view.

const IDLE = 60_000; // milliseconds without any input, after which time is not active
const BINS = 20; // parts of an answer that are seen or not

export class Reading {
  /** Go on from what was measured before; `texts` are the elements with the answers. */
  constructor(texts, box, before) {
    this.texts = texts;
    this.box = box;
    this.seconds = before.seconds ?? 0;
    this.visible = before.visible ?? 0;
    this.before = before.read ?? [];
    this.bins = texts.map(() => new Set());
    this.last = performance.now();
    this.used = this.last;
    this.timer = setInterval(() => this.tick(), 1000);
    this.inputs = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove", "scroll"];
    this.use = () => { this.used = performance.now(); };
    for (const name of this.inputs) addEventListener(name, this.use, { capture: true, passive: true });
  }
  tick() {
    const now = performance.now();
    const passed = Math.min(now - this.last, 2000) / 1000; // a sleeping computer is not reading
    this.last = now;
    if (document.visibilityState !== "visible") return;
    this.visible += passed;
    if (now - this.used > IDLE) return;
    this.seconds += passed;
    const box = this.box.getBoundingClientRect();
    this.texts.forEach((text, place) => {
      const rect = text.getBoundingClientRect();
      if (rect.height === 0 || rect.right < box.left + 20 || rect.left > box.right - 20) return;
      const [above, below] = [text.previousElementSibling, text.nextElementSibling].map((part) => part?.getBoundingClientRect());
      const from = Math.max(rect.top, box.top, above.bottom); // what sticks to the edges covers some of the text
      const to = Math.min(rect.bottom, box.bottom, below?.top ?? Infinity);
      for (let bin = 0; bin < BINS; bin++) {
        const middle = rect.top + ((bin + 0.5) / BINS) * rect.height;
        if (middle >= from && middle <= to) this.bins[place].add(bin);
      }
    });
  }
  /** Return what was measured so far. */
  measured() {
    this.tick();
    const read = this.bins.map((seen, place) => Math.max(this.before[place] ?? 0, seen.size / BINS));
    const round = (value) => Math.round(value * 10) / 10;
    return { seconds: round(this.seconds), visible: round(this.visible), read };
  }
  stop() {
    clearInterval(this.timer);
    for (const name of this.inputs) removeEventListener(name, this.use, { capture: true });
  }
}
