// The leader's page: it shows the newest numbers by itself, and copies links.

import { Calm, say, themeButton } from "./web.js";

const AGAIN = 30_000; // milliseconds
const main = document.getElementById("main");
const calm = new Calm(main);

/** Tell whether somebody is at a link or a form of the page. */
const isUsed = () => calm.isBusy || main.querySelector(":popover-open, input:checked");

/** Load the page's content again, unless it is hidden or used. */
async function update() {
  if (document.hidden || isUsed()) return;
  const response = await fetch(location.href).catch(() => null); // no network: the next time
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (isUsed()) return; // meanwhile
  main.replaceChildren(...page.getElementById("main").childNodes);
  showTimes();
}

/** Show times as they are here. */
function showTimes() {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" });
  for (const time of main.querySelectorAll("time")) time.textContent = format.format(new Date(time.dateTime));
}

main.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const link = button.previousElementSibling;
  link.select();
  await navigator.clipboard?.writeText(link.value).catch(() => {}); // without https the selection can be copied
  if (navigator.clipboard) button.textContent = say("copied");
});
themeButton(document.getElementById("theme"));
showTimes();
setInterval(update, AGAIN);
