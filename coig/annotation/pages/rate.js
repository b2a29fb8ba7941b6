// The rater's page: which task is shown, what was chosen, and how it reaches the server.

import { Outbox, Refused, clock, el, kept, makeKey, request, say, state, themeButton } from "./web.js";
import { Reading } from "./reading.js";
import { Choices } from "./choices.js";
import { askAbstention } from "./abstain.js";
import { listenToKeys } from "./keys.js";

const $ = (id) => document.getElementById(id);
const VIEWS = ["columns", "list", "one"];
const SOON = 1500; // milliseconds after a change, until the server gets the draft

const tasks = new Map(); // number → task, of all that this page has seen
let open = []; // numbers of the tasks to do
let current = null; // {task, choices, reading}
let draftTimer = null;

const outbox = new Outbox({
  replied(reply) {
    receive(reply);
    if (!current) showNext();
  },
  refused(error) {
    const note = say("refused", { error: error.message });
    tell(note, true);
    if (error.status === 403) return;
    refresh().catch(() => {});
  },
  changed(entries, isOffline) {
    if (entries.length) tell(say(isOffline ? "waiting" : "sending", { count: entries.length }), false, true);
    else if ($("saved").dataset.waiting) tell(say("saved", { time: clock() }));
  },
});

/** Show a short message beside the progress. */
function tell(message, alarm = false, waiting = false) {
  $("saved").textContent = message;
  $("saved").classList.toggle("alarm", alarm);
  if (waiting) $("saved").dataset.waiting = "yes";
  else delete $("saved").dataset.waiting;
}

/** Take in tasks and counts that the server sent. */
function receive(reply) {
  const sending = new Set(outbox.entries.map((entry) => entry.body.number));
  for (const task of reply.tasks) {
    tasks.set(task.number, task);
    if (!open.includes(task.number) && !sending.has(task.number)) open.push(task.number);
  }
  Object.assign(state, { done: reply.done, total: reply.total });
  showProgress();
}

/** Ask the server for the tasks anew, after it refused something. */
async function refresh() {
  const numbers = [...tasks.keys()];
  if (current) tasks.set(current.task.number, await request(`/task/${current.task.number}`));
  else if (numbers.length) location.reload();
}

function showProgress() {
  const number = current?.task.number ?? "–";
  const values = { number, done: state.done + outbox.entries.length, total: state.total };
  $("progress").textContent = current ? say(state.total === null ? "progress_open" : "progress", values) : "";
}

/** Show the first task that is to be done, or that all are done. */
function showNext() {
  if (open.length) return show(tasks.get(open[0]));
  close();
  const waits = outbox.entries.length > 0;
  $("main").className = "page";
  $("main").replaceChildren(waits ? el("p", { role: "status" }, say("loading")) : donePage());
  $("main").focus();
  $("back").disabled = tasks.size === 0 && state.done === 0;
  $("forward").disabled = true;
}

function donePage() {
  const { code, url } = state.completion;
  const page = el("div", {}, el("h2", {}, say("done")));
  if (code) page.append(el("p", {}, say("code"), " ", el("strong", { id: "code" }, code)));
  if (url) page.append(el("p", {}, el("a", { href: url, rel: "noreferrer" }, say("go"))));
  return page;
}

/** Leave the current task. */
function close() {
  if (!current) return;
  current.reading.stop();
  current = null;
  $("prompt").hidden = true;
  $("bar").hidden = true;
  showProgress();
}

/** Show a task with the draft, or else the verdict, that there is of it. */
function show(task) {
  close();
  const local = kept.get(`draft:${task.number}`);
  const draft = (local?.at ?? 0) > (task.draft?.at ?? 0) ? local : task.draft;
  const before = draft ?? task.verdict ?? {};
  $("prompt").hidden = $("bar").hidden = false;
  $("prompt").replaceChildren(
    el("h2", { id: "prompt-heading" }, say("task")),
    el("div", { class: "text", lang: task.lang }, task.prompt),
  );
  $("prompt").scrollTop = 0;
  const choices = new Choices(task, before, changed, () => send());
  $("main").className = "";
  $("main").replaceChildren(choices.answers);
  $("bar").replaceChildren(...choices.bar(() => abstain()));
  setView(kept.get("view") ?? (innerWidth >= 900 ? "columns" : "list"));
  $("main").scrollTop = 0;
  current = { task, choices, reading: new Reading(choices.texts, $("main"), draft ?? {}) };
  $("back").disabled = task.number === 1;
  $("forward").disabled = open[0] === task.number && tasks.has(task.number);
  if (task.verdict?.reason && !draft) tell(say("not_judged"));
  showProgress();
  $("prompt").focus({ preventScroll: true });
}

/** Keep what was chosen, on this device at once and on the server soon. */
function changed(told) {
  if (told) $("told").textContent = told;
  const value = { ...current.choices.chosen(), ...current.reading.measured(), at: Date.now() };
  const isKept = kept.set(`draft:${current.task.number}`, value);
  if (isKept) tell(say("saved", { time: clock() }));
  clearTimeout(draftTimer);
  draftTimer = setTimeout(() => sendDraft(!isKept), isKept ? SOON : 0);
}

/** Send the draft to the server; without a network, the one on this device must do. */
async function sendDraft(isOnlyCopy, keepalive = false) {
  clearTimeout(draftTimer);
  draftTimer = null;
  if (!current) return;
  const { number } = current.task;
  const draft = { ...current.choices.chosen(), ...current.reading.measured() };
  try {
    await request("/draft", { number, draft, at: Date.now() }, { keepalive });
    if (isOnlyCopy) tell(say("saved", { time: clock() }));
  } catch (error) {
    if (isOnlyCopy || error instanceof Refused) tell(say("refused", { error: error.message }), true);
  }
}

/** Send the verdict, or an abstention, and show the next task at once. */
function send(abstention = {}) {
  if (!current || (!abstention.reason && !current.choices.isComplete())) return;
  clearTimeout(draftTimer);
  draftTimer = null;
  const { task, choices, reading } = current;
  const answered = { ...choices.chosen(), ...reading.measured() };
  const body = { number: task.number, key: makeKey(), answered, ...abstention };
  task.verdict = abstention.reason ? abstention : { ...choices.chosen() };
  task.draft = null;
  kept.set(`draft:${task.number}`, null);
  open = open.filter((number) => number !== task.number);
  const have = open.filter((number) => tasks.has(number));
  outbox.add(`/send?have=${have.join(",")}`, body);
  showNext();
}

async function abstain() {
  if (!current) return;
  const abstention = await askAbstention($("abstain"), current.task);
  if (abstention) send(abstention);
}

/** Show the task before or after the current one. */
async function go(step) {
  if (draftTimer) sendDraft(false);
  const last = Math.max(0, ...tasks.keys(), state.done);
  let number = (current?.task.number ?? last + 1) + step;
  if (step > 0 && !open.includes(number) && number > last) return showNext();
  for (; number >= 1 && number <= last; number += step) {
    try {
      if (!tasks.has(number)) tasks.set(number, await request(`/task/${number}`));
      return show(tasks.get(number));
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) return tell(say("refused", { error: error.message }), true);
    } // 404: was judged elsewhere and has no page
  }
}

function setView(view) {
  const answers = $("answers");
  if (!answers) return;
  answers.className = view;
  kept.set("view", view);
  $("view").replaceChildren(say("view"), el("span", {}, `(${say(view)})`));
}

function nextView() {
  const now = $("answers")?.className;
  setView(VIEWS[(VIEWS.indexOf(now) + 1) % VIEWS.length]);
}

function toggleFull() {
  const now = $("answers")?.className;
  setView(now === "one" ? (innerWidth >= 900 ? "columns" : "list") : "one");
}

/** Ask for consent and languages before the first task. */
function startPage() {
  const texts = $("introduction").content.cloneNode(true);
  const parts = [texts.getElementById("instructions")];
  if (state.consent) parts.unshift(texts.getElementById("consent"));
  const boxes = state.langs.map((lang) => el("input", { type: "checkbox", value: lang }));
  const begin = el("button", { class: "primary", type: "button", id: "begin", disabled: boxes.length > 0 }, say(state.consent ? "agree" : "begin"));
  if (boxes.length) {
    const labels = boxes.map((box) => el("label", {}, box, say(box.value)));
    parts.push(el("fieldset", { onchange: () => { begin.disabled = !boxes.some((box) => box.checked); } }, el("legend", {}, say("which_langs")), ...labels));
  }
  begin.addEventListener("click", async () => {
    const langs = boxes.filter((box) => box.checked).map((box) => box.value);
    begin.disabled = true;
    try {
      receive(await request("/start", { agreed: true, langs }));
      showNext();
    } catch (error) {
      begin.disabled = false;
      tell(say("refused", { error: error.message }), true);
    }
  });
  $("main").className = "page";
  $("main").replaceChildren(...parts, el("p", {}, begin));
}

$("back").addEventListener("click", () => go(-1));
$("forward").addEventListener("click", () => go(1));
$("view").addEventListener("click", nextView);
$("help-button").addEventListener("click", () => $("help").showModal());
$("shortcuts").checked = kept.get("shortcuts") ?? true;
$("shortcuts").addEventListener("change", () => kept.set("shortcuts", $("shortcuts").checked));
document.querySelectorAll("tr[data-protocols]").forEach((row) => { row.hidden = !row.dataset.protocols.split(" ").includes(state.protocol); });
themeButton($("theme"));
addEventListener("pagehide", () => { if (draftTimer) sendDraft(false, true); });
document.addEventListener("visibilitychange", () => { if (document.hidden && draftTimer) sendDraft(false, true); });
listenToKeys({
  enabled: () => $("shortcuts").checked && current !== null,
  digit: (number) => current.choices.press(number - 1),
  "=": () => current.choices.tie(),
  Enter: () => send(),
  u: () => current.choices.undo(),
  b: () => go(-1),
  n: () => { if (!$("forward").disabled) go(1); },
  x: () => abstain(),
  v: nextView,
  f: toggleFull,
  "?": () => $("help").showModal(),
  ArrowLeft: () => current.choices.turn(-1),
  ArrowRight: () => current.choices.turn(1),
});

if (state.agreed) {
  receive(state);
  showNext();
  outbox.flush();
} else startPage();
