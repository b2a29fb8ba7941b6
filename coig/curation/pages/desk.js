// The page on which people write, score and review: the list of tasks, the task that is open, and how it is sent.

import { Reading } from "./reading.js";
import { RecheckForm } from "./recheck.js";
import { ReviewForm } from "./review.js";
import { Drafts, makeOutbox, tell, tellRefused } from "./saved.js";
import { ScoreForm } from "./score.js";
import { Calm, el, makeKey, request, say, sizeSlider, state, themeButton } from "./web.js";
import { WriteForm } from "./write.js";

const $ = (id) => document.getElementById(id);
const FORMS = { write: WriteForm, score: ScoreForm, review: ReviewForm, recheck: RecheckForm };
const ORDER = { write: ["write", "score", "review", "recheck"], review: ["score", "review", "recheck", "write"] };
const AGAIN = 30_000; // milliseconds until the list is asked for again

let current = null; // {task, form, reading} of the open task; null: the list is shown
const drafts = new Drafts();
const calm = new Calm($("main"));
const nameOf = ({ text, kind, version }) => `${text}:${kind}:${version}`;

const outbox = makeOutbox((reply, body) => {
  drafts.forget(nameOf(body));
  state.tasks = reply.tasks;
  showListWhenCalm();
  tell(say("sent", { state: say(`now_${reply.state}`) }));
}, (error) => {
  refresh(showListWhenCalm);
  tellRefused(error);
});

/** Show what the person can do now, by kind of task. */
function showList() {
  current?.reading.stop();
  current = null;
  history.replaceState(null, "", location.pathname + location.search);
  const sending = new Set(outbox.entries.map(({ body }) => `${body.text}:${body.kind}`));
  const tasks = state.tasks.filter(({ text, kind }) => !sending.has(`${text}:${kind}`));
  const sections = ORDER[state.first].map((kind) => makeSection(kind, tasks.filter((task) => task.kind === kind)));
  $("main").className = "page";
  $("main").replaceChildren(...(tasks.length ? sections : [el("p", { id: "nothing" }, say("nothing"))]));
  $("list").hidden = $("bar").hidden = true;
  $("heading").textContent = say("title");
}

/** Show the list anew, unless a task is open; not while somebody is at it, who would then tap on what has moved. */
function showListWhenCalm() {
  calm.run(() => { if (!current) showList(); });
}

function makeSection(kind, tasks) {
  if (!tasks.length) return "";
  const count = `${tasks.length}${tasks.length >= state.listed ? "+" : ""}`; // the server lists no more of a kind
  return el("section", { "aria-labelledby": `kind-${kind}` },
    el("h2", { id: `kind-${kind}` }, `${say(kind)} `, el("small", { class: "soft" }, count)),
    el("ul", { class: "tasks" }, ...tasks.map((task) => el("li", {}, makeLine(task)))));
}

/** Make the line of a task in the list. */
function makeLine(task) {
  const facts = [task.genre, say("characters", { count: task.characters.toLocaleString() })].filter(Boolean).join(" · ");
  const mark = task.begun ? say("begun") : task.returned ? say("returned") : "";
  return el("button", { type: "button", class: "task", "data-kind": task.kind, onclick: () => open(task) },
    el("strong", { lang: task.lang }, task.title), el("span", { class: "soft" }, facts), mark ? el("em", {}, mark) : "");
}

/** Ask the server for the list anew; `show` shows it, unless a task is open. */
async function refresh(show = showList) {
  try {
    state.tasks = (await request("/tasks")).tasks;
    if (!current) show();
  } catch { /* no network: the list stays */ }
}

/** Open a task, which keeps it for this person. */
async function open({ text, kind }) {
  tell(say("loading"));
  try {
    const task = await request("/open", { text, kind });
    tell("");
    showTask(task);
  } catch (error) {
    if (!current) await refresh();
    tellRefused(error);
  }
}

/** Show a task with what was done of it already. */
function showTask(task) {
  const draft = drafts.newer(nameOf(task), task.draft) ?? {};
  const form = new FORMS[task.kind](task, draft, { changed, ask: askModel });
  const reading = new Reading([], $("main"), draft);
  current = { task, form, reading };
  history.replaceState(null, "", `#${task.text}/${task.kind}`);
  const side = task.returned ? "form" : "article"; // on narrow screens: what to do first is to read
  $("main").className = "";
  $("main").replaceChildren(el("div", { id: "task", class: task.kind, "data-side": side },
    el("section", { class: "side", id: "article", tabindex: 0, "aria-label": say("article") }, ...form.left),
    el("section", { class: "side", id: "form", tabindex: 0, "aria-label": say(task.kind) }, ...form.right)));
  $("bar").replaceChildren(makeSides(side), el("div", { id: "actions" },
    el("button", { id: "put-back", type: "button", onclick: putBack }, say("put_back")),
    el("button", { id: "send", class: "primary", type: "button", onclick: send })));
  $("list").hidden = $("bar").hidden = false;
  $("heading").textContent = task.version ? say("version", { kind: say(task.kind), number: task.version + (task.kind === "write" ? 1 : 0) }) : say(task.kind);
  draw();
  $("heading").focus({ preventScroll: true });
}

/** Make the two buttons that on narrow screens show the article or the form. */
function makeSides(shown) {
  const buttons = ["article", "form"].map((side) => el("button", {
    type: "button", "data-side": side, "aria-pressed": String(side === shown), onclick: () => turn(side),
  }, say(side === "article" ? "article" : current.task.kind)));
  const turn = (side) => {
    $("task").dataset.side = side;
    buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.side === side));
  };
  return el("div", { id: "sides", role: "group", "aria-label": say("side") }, ...buttons);
}

/** Say on the button that sends what is still missing. */
function draw() {
  const count = current.form.countMissing();
  $("send").disabled = count > 0;
  $("send").textContent = count ? say("missing", { count }) : say("send");
}

/** Keep what was done. */
function changed() {
  const { task, form, reading } = current;
  const { text, kind, version } = task;
  drafts.keep(nameOf(task), { text, kind, version }, () => ({ ...form.chosen(), seconds: reading.measured().seconds }));
  draw();
}

/** Ask for a model's draft of the open task; return it, or null if there is none. */
async function askModel() {
  const { text, kind } = current.task;
  tell(say("asking"));
  try {
    const model = await request("/model", { text, kind });
    tell("");
    return model;
  } catch (error) {
    tellRefused(error);
    return null;
  }
}

function send() {
  const { task, form, reading } = current;
  if (form.countMissing()) return;
  const { text, kind, version } = task, { seconds } = reading.measured();
  drafts.stop();
  drafts.hold(nameOf(task), { ...form.chosen(), seconds }); // until the server has acknowledged the act
  const act = { ...form.act(), seconds };
  reading.stop();
  current = null;
  outbox.add("/send", { text, kind, version, key: makeKey(), act });
  showList();
}

/** Give the open task to others; what was done of it is deleted. */
async function putBack() {
  const { task } = current;
  if (Object.keys(drafts.newer(nameOf(task), task.draft) ?? {}).length && !confirm(say("put_back_sure"))) return;
  drafts.forget(nameOf(task));
  try {
    state.tasks = (await request("/back", { text: task.text, kind: task.kind })).tasks;
    showList();
  } catch (error) {
    tellRefused(error);
  }
}

$("list").addEventListener("click", () => {
  drafts.flush();
  showList();
  refresh();
});
document.addEventListener("selectionchange", () => current?.form.noteSelection?.());
$("settings-button").addEventListener("click", () => $("settings-dialog").showModal());
const language = document.querySelector("#settings a");
language.addEventListener("click", () => { language.href = language.search + location.hash; });
themeButton($("theme"));
sizeSlider($("size"));
setInterval(() => { if (!current && !document.hidden) refresh(showListWhenCalm); }, AGAIN);

const [text, kind] = location.hash.slice(1).split("/");
if (kind in FORMS) open({ text, kind }).then(() => { if (!current) showList(); });
else showList();
outbox.flush();
