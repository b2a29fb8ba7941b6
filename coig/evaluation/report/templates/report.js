"use strict";
document.documentElement.classList.add("js");

const naturally = new Intl.Collator(undefined, { numeric: true }).compare;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- tables: a click on a heading sorts the table by its column

function figureIn(text) {
  const found = /^[<[\s]*([+−-]?[\d,]*\.?\d+)(?![\d:/])/.exec(text);
  return found ? Number(found[1].replaceAll(",", "").replace("−", "-")) : null;
}

function sort(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const keyed = [...table.tBodies[0].rows].map((row) => {
    const text = row.cells[column].textContent;
    return { row, text, figure: figureIn(text), missing: text === "–" };
  });
  const figures = !heading.classList.contains("left") && keyed.every((entry) => entry.missing || entry.figure !== null);
  keyed.sort((a, b) => {
    if (a.missing || b.missing) return a.missing - b.missing;
    return sign * (figures ? a.figure - b.figure : naturally(a.text, b.text));
  });
  table.tBodies[0].append(...keyed.map((entry) => entry.row));
  for (const other of heading.parentNode.cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
}

for (const heading of document.querySelectorAll(".sortable thead th")) {
  const button = element("button", { type: "button" });
  button.append(...heading.childNodes);
  button.addEventListener("click", () => sort(heading));
  heading.append(button);
  heading.setAttribute("aria-sort", "none");
}

// ---- the reader: lists the queries that match the filters, 25 at a time; a query's answers are built when it is opened

const LANGUAGES = { zh: ["Chinese", "zh-Hans"], en: ["English", "en"] };
const PAGE = 25;

function reader(queries) {
  const form = document.querySelector(".filters");
  const { lang, genre, text, count } = form.elements;
  const list = document.getElementById("queries");
  const more = document.getElementById("more");
  let matching = [];

  function offer(select, all, options) {
    const chosen = select.value;
    select.replaceChildren(new Option(all, ""), ...options.map(([value, label]) => new Option(label, value)));
    select.value = options.some(([value]) => value === chosen) ? chosen : "";
  }

  function filter() {
    const inLanguage = queries.filter((query) => !lang.value || query.lang === lang.value);
    const genres = [...new Set(inLanguage.map((query) => query.genre))].sort(naturally);
    offer(genre, "all", genres.map((name) => [name, name]));
    const sought = text.value.trim().toLowerCase();
    matching = inLanguage.filter((query) => (!genre.value || query.genre === genre.value) && contains(query, sought));
    count.value = `${matching.length.toLocaleString("en")} of ${queries.length.toLocaleString("en")} queries`;
    list.replaceChildren();
    show();
  }

  function show() {
    const from = list.childElementCount;
    list.append(...matching.slice(from, from + PAGE).map((query) => queryOf(query, text.value.trim())));
    more.style.display = list.childElementCount < matching.length ? "block" : "none";
  }

  offer(lang, "all", [...new Set(queries.map((query) => query.lang))].map((code) => [code, LANGUAGES[code][0]]));
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", show);
  filter();
}

function contains(query, sought) {
  if (!sought) return true;
  const texts = query.answers.flatMap((answer) => [answer.answer, answer.reasoning]);
  query.searched ??= [query.query_id, query.query, query.genre, ...texts].join("\n").toLowerCase();
  return query.searched.includes(sought);
}

function queryOf(query, sought) {
  const summary = element("summary", {}, element("span", { className: "genre", textContent: query.genre }));
  summary.append(...marked(query.query, sought));
  const details = element("details", { lang: LANGUAGES[query.lang][1] }, summary);
  const answers = () => query.answers.map((answer) => answerOf(answer, sought));
  const open = () => details.append(element("div", { className: "answers" }, ...answers()));
  details.addEventListener("toggle", open, { once: true });
  return details;
}

function answerOf(answer, sought) {
  const heading = element("h4", { lang: "en", textContent: answer.tokens === null ? answer.arm : `${answer.arm} · ${answer.tokens} tokens` });
  if (answer.finished === false) heading.append(element("span", { className: "tag", textContent: "unfinished" }));
  if (answer.contaminated) heading.append(element("span", { className: "tag", textContent: "other language" }));
  const section = element("section", {}, heading);
  if (answer.reasoning) {
    const reasoning = element("div", { className: "text" }, ...marked(answer.reasoning, sought));
    section.append(element("details", {}, element("summary", { lang: "en", textContent: "reasoning" }), reasoning));
  }
  const text = element("div", { className: "text" }, ...marked(answer.answer, sought));
  if (answer.language in LANGUAGES) text.lang = LANGUAGES[answer.language][1];
  section.append(text);
  return section;
}

// splits a text into nodes, with each match of the search in <mark>
function marked(text, sought) {
  if (!sought) return [text];
  const pattern = new RegExp(`(${sought.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`, "gi");
  return text.split(pattern).map((part, place) => (place % 2 ? element("mark", { textContent: part }) : part));
}

const answers = document.getElementById("answers");
if (answers) reader(JSON.parse(answers.textContent));
