// Keys for the whole page. Keys that compose a character (Pinyin and other input methods) are left alone.

/** Call `actions[key]` for a key that is pressed outside of text fields and dialogs; digits call `actions.digit`. */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    if (!actions.enabled() || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=radio]), textarea, select, [contenteditable]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "z") return run(event, actions.u);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onControl = event.target.closest("button, a, input, summary");
    if (event.key === "Enter" && onControl) return; // the control's own meaning
    if (event.key.startsWith("Arrow") && onControl) return;
    if (/^[0-9]$/.test(event.key)) return run(event, () => actions.digit(Number(event.key)));
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (Object.hasOwn(actions, key) && key !== "enabled") run(event, actions[key]);
  });
}

function run(event, action) {
  event.preventDefault();
  action();
}
