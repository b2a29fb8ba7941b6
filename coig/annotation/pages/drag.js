// Drag chips with mouse, pen or finger: before, after or onto another chip, or into a list.

const FAR = 6; // pixels from which a press is a drag

/** Let the chips in `bar` be dragged; `dropped(place, where, other)` tells where one was dropped. */
export function dragChips(bar, dropped) {
  bar.addEventListener("pointerdown", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip || event.button) return;
    let moved = false, target = null;
    const clear = () => bar.querySelectorAll(".before,.after,.onto").forEach((one) => one.classList.remove("before", "after", "onto"));
    const follow = (now) => {
      const x = now.clientX - event.clientX, y = now.clientY - event.clientY;
      if (!moved && Math.hypot(x, y) < FAR) return;
      moved = true;
      chip.classList.add("dragging");
      chip.style.translate = `${x}px ${y}px`;
      clear();
      target = findTarget(now.clientX, now.clientY, chip);
      if (target?.chip) target.chip.classList.add(target.where);
    };
    const end = () => {
      removeEventListener("pointermove", follow);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", cancel);
      chip.classList.remove("dragging");
      chip.style.translate = "";
      clear();
      if (!moved) return;
      const swallow = (click) => { click.stopPropagation(); click.preventDefault(); };
      addEventListener("click", swallow, { capture: true, once: true }); // the click that ends a drag
      setTimeout(() => removeEventListener("click", swallow, { capture: true }));
      if (target) dropped(Number(chip.dataset.place), target.where, target.chip ? Number(target.chip.dataset.place) : null);
    };
    const cancel = () => { target = null; end(); };
    addEventListener("pointermove", follow);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", cancel);
  });
}

/** Return what a chip would be dropped on at a point of the window; null if on nothing. */
function findTarget(x, y, dragged) {
  const under = document.elementFromPoint(x, y);
  const chip = under?.closest("#ranks .chip");
  if (chip && chip !== dragged) {
    const rect = chip.getBoundingClientRect(), share = (x - rect.left) / rect.width;
    return { chip, where: share < 0.3 ? "before" : share > 0.7 ? "after" : "onto" };
  }
  if (under?.closest("#tray")) return { chip: null, where: "tray" };
  return under?.closest("#ranks") ? { chip: null, where: "end" } : null;
}
