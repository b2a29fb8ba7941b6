// The rater's page: which task is shown, what was chosen, and how it reaches the server.

import { askAbstention } from "./abstain.js";
import { Choices } from "./choices.js";
import { listenToKeys } from "./keys.js";
import { findExamples, giveFeedback } from "./practice.js";
import { Reading } from "./reading.js";
import { Drafts, makeOutbox, tell, tellRefused } from "./saved.js";
import { Refused, el, kept, makeKey, request, say, sizeSlider, state, themeButton } from "./web.js";

const $ = (id) => document.getElementById(id);

const tasks = new Map(); // number → task, of all that this page has seen
let open = []; // numbers of the tasks to do
let current = null; // {task, choices, reading}
const drafts = new Drafts();

const outbox = makeOutbox((reply) => {
  receive(reply);
  if (!current) showNext();
}, (error) => {
  tellRefused(error);
  if (error.status !== 403) refresh().catch(() => {});
});

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
  if (current) tasks.set(current.task.number, await request(`/task/${current.task.number}`));
  else if (tasks.size) location.reload();
}

function showProgress() {
  const done = (state.done ?? 0) + outbox.entries.length;
  const values = { number: current?.task.number, done, total: state.total };
  const isTask = current !== null && !current.task.isExample;
  $("progress").textContent = isTask ? say(state.total === null ? "progress_open" : "progress", values) : current ? current.task.title : "";
  $("done").hidden = !isTask || !state.total;
  $("done").max = state.total || 1;
  $("done").value = done;
}

/** Show a page without a task. */
function showPage(...parts) {
  close();
  $("main").className = "page";
  $("main").replaceChildren(...parts);
  $("main").focus();
}

/** Show the first task that is to be done, or that all are done. */
function showNext() {
  if (open.length) return show(tasks.get(open[0]));
  showPage(...(outbox.entries.length ? [el("p", { role: "status" }, say("loading"))] : makeThanks()));
  $("back").hidden = $("back").disabled = tasks.size === 0 && state.done === 0;
}

function makeThanks() {
  const { code, url } = state.completion;
  return [
    el("h2", {}, say("done")), el("p", {}, say("done_note")),
    code ? el("p", {}, say("code"), " ", el("strong", { id: "code" }, code)) : "",
    url ? el("p", {}, el("a", { class: "button primary", href: url, rel: "noreferrer" }, say("go"))) : "",
  ];
}

/** Leave the current task. */
function close() {
  current?.reading.stop();
  current = null;
  for (const part of ["prompt", "bar", "back", "forward", "view"]) $(part).hidden = true;
  $("language").hidden = false;
  showProgress();
}

/** Show a task with the draft, or else the verdict, that there is of it. */
function show(task) {
  close();
  const draft = task.isExample ? null : drafts.newer(task.number, task.draft);
  const choices = new Choices(task, draft ?? task.verdict ?? {}, { changed, send: () => send(), abstain });
  const heading = el("h2", { id: "prompt-heading", tabindex: -1 }, say("task"));
  $("prompt").replaceChildren(heading, el("div", { class: "text", lang: task.lang }, task.prompt));
  $("main").className = "";
  $("main").replaceChildren(choices.answers.box);
  $("bar").replaceChildren(...choices.bar);
  for (const part of ["prompt", "bar", "view"]) $(part).hidden = false;
  $("language").hidden = true;
  $("back").hidden = $("forward").hidden = Boolean(task.isExample);
  $("back").disabled = task.number === 1;
  $("forward").disabled = open[0] === task.number;
  $("prompt").scrollTop = $("main").scrollTop = 0;
  current = { task, choices, reading: new Reading(choices.answers.texts, $("main"), draft ?? {}) };
  if (task.verdict?.reason && !draft) tell(say("not_judged"));
  showProgress();
  heading.focus({ preventScroll: true });
}

/** Keep what was chosen. */
function changed(told) {
  if (told) $("told").textContent = told;
  const { task, choices, reading } = current;
  if (task.isExample) return;
  drafts.keep(task.number, { number: task.number }, () => ({ ...choices.chosen(), ...reading.measured() }));
}

/** Send the verdict, or an abstention, and show the next task at once. */
function send(abstention = {}) {
  if (!current || (!abstention.reason && current.choices.countMissing())) return;
  const { task, choices, reading } = current;
  if (task.isExample) return task.answered({ ...choices.chosen(), ...abstention });
  const answered = { ...choices.chosen(), ...reading.measured() };
  task.verdict = abstention.reason ? abstention : choices.chosen();
  task.draft = null;
  drafts.forget(task.number);
  open = open.filter((number) => number !== task.number);
  const have = open.filter((number) => tasks.has(number));
  outbox.add(`/send?have=${have.join(",")}`, { number: task.number, key: makeKey(), answered, ...abstention });
  showNext();
}

async function abstain() {
  if (!current) return;
  const abstention = await askAbstention($("abstain"), current.task);
  if (abstention) send(abstention);
}

/** Show the task before or after the current one. */
async function go(step) {
  if (current?.task.isExample) return;
  drafts.flush();
  const last = Math.max(0, ...tasks.keys(), state.done);
  let number = (current?.task.number ?? last + 1) + step;
  if (step > 0 && !open.includes(number) && number > last) return showNext();
  for (; number >= 1 && number <= last; number += step) {
    try {
      if (!tasks.has(number)) tasks.set(number, await request(`/task/${number}`));
      return show(tasks.get(number));
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) return tellRefused(error);
    } // 404: was judged elsewhere and has no page
  }
}

/** Ask for consent and languages before the first task. */
function showStart() {
  const texts = $("introduction").content.cloneNode(true);
  const boxes = state.langs.map((lang) => el("input", { type: "checkbox", value: lang }));
  const begin = el("button", { class: "primary", type: "button", id: "begin", disabled: boxes.length > 0 }, say(state.consent ? "agree" : "begin"));
  const update = () => { begin.disabled = !boxes.some((box) => box.checked); };
  const labels = boxes.map((box) => el("label", {}, box, say(box.value)));
  begin.addEventListener("click", async () => {
    const langs = boxes.filter((box) => box.checked).map((box) => box.value);
    await practise(findExamples(langs.length ? langs : state.reads));
    start(langs);
  });
  showPage(
    state.consent ? texts.getElementById("consent") : "",
    texts.getElementById("instructions"),
    boxes.length ? el("fieldset", { onchange: update }, el("legend", {}, say("which_langs")), ...labels) : "",
    el("p", {}, begin),
  );
}

/** Let the rater judge each example, and say after each what we think of it. */
async function practise(examples) {
  for (const [number, example] of examples.entries()) {
    const title = say("example", { number: number + 1, count: examples.length });
    const chosen = await new Promise((answered) => show({ ...example, isExample: true, title, answered }));
    await giveFeedback($("feedback"), example, chosen);
  }
}

/** Tell the server that the rater agrees and reads these languages; show the first task. */
async function start(langs) {
  showPage(el("p", { role: "status" }, say("loading")));
  try {
    receive(await request("/start", { agreed: true, langs }));
    showNext();
  } catch (error) {
    tellRefused(error);
    showPage(el("p", {}, el("button", { class: "primary", type: "button", onclick: () => start(langs) }, say("again"))));
  }
}

$("back").addEventListener("click", () => go(-1));
$("forward").addEventListener("click", () => go(1));
$("view").addEventListener("click", () => current?.choices.answers.nextView());
$("help-button").addEventListener("click", () => $("help").showModal());
$("shortcuts").checked = kept.get("shortcuts") ?? true;
$("shortcuts").addEventListener("change", () => kept.set("shortcuts", $("shortcuts").checked));
document.querySelectorAll("tr[data-protocols]").forEach((row) => { row.hidden = !row.dataset.protocols.split(" ").includes(state.protocol); });
themeButton($("theme"));
sizeSlider($("size"));
listenToKeys({
  enabled: () => $("shortcuts").checked && current !== null,
  digit: (number) => current.choices.panel.digit(number),
  "=": () => current.choices.panel.tie(),
  Enter: () => send(),
  u: () => current.choices.undo(),
  b: () => go(-1),
  n: () => { if (!$("forward").disabled) go(1); },
  x: () => abstain(),
  v: () => current.choices.answers.nextView(),
  f: () => current.choices.answers.toggleFull(),
  "?": () => $("help").showModal(),
  ArrowLeft: () => current.choices.answers.turn(-1),
  ArrowRight: () => current.choices.answers.turn(1),
});

if (state.agreed) {
  receive(state);
  showNext();
  outbox.flush();
} else showStart();
