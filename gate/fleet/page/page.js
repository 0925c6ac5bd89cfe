// Puts what the server made in its place when it changes, and keeps clocks going. The markup is this page's own, every word in it escaped.
"use strict";

const RETRY_MS = 2000;
const STALE_MS = 7000; // three missed beats
const HERE_EVERY_MS = 60000;

const $ = (selector) => document.querySelector(selector);
let heardAt = performance.now();
let hereAt = 0;
let events = null;
let reachable = true;

function say(indonesian = "", english = "") {
  const told = `${indonesian} ${english}`.trim();
  if ($("#said").dataset.told === told) return;
  $("#said").dataset.told = told;
  const en = Object.assign(document.createElement("span"), { lang: "en", textContent: english });
  $("#said").replaceChildren(...(told ? [`${indonesian} `, en] : []));
}

async function post(path, told = {}) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(told) });
  return [answer.ok, await answer.json()];
}

function age(seconds) {
  if (seconds < 90) return `${Math.floor(seconds)} dtk/s`;
  if (seconds < 5400) return `${Math.floor(seconds / 60)} mnt/min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} jam/h`;
  return `${Math.floor(seconds / 86400)} hari/d`;
}

function tick() {
  const now = Date.now() / 1000;
  for (const node of document.querySelectorAll("[data-at]")) node.textContent = age(Math.max(0, now - Number(node.dataset.at)));
  for (const node of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, now - Number(node.dataset.since));
    node.textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  }
}

// Whatever was opened stays open, and focus stays where it was.
function place(part, markup) {
  const fresh = new DOMParser().parseFromString(markup, "text/html").body;
  const focused = part.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
  for (const open of part.querySelectorAll("details[open]")) fresh.querySelector(`[data-key="${CSS.escape(open.dataset.key)}"]`)?.setAttribute("open", "");
  part.replaceChildren(...fresh.childNodes);
  if (focused) part.querySelector(`[data-key="${CSS.escape(focused)}"] summary`)?.focus();
  tick();
}

function hear() {
  heardAt = performance.now();
}

function heed() {
  if (performance.now() - heardAt > STALE_MS) say("Tidak terhubung; angka lama", "Not connected; old figures");
  else if (!reachable) say("Basis data tidak menjawab; angka lama", "The database does not answer; old figures");
  else say();
}

function follow() {
  events = new EventSource("/events");
  events.addEventListener("beat", hear);
  events.addEventListener("reach", ({ data }) => { hear(); reachable = data !== "0"; if (reachable && $("#away")) location.reload(); });
  events.addEventListener("layout", ({ data }) => { if ($("#map") && data !== $("#map").dataset.layout) location.reload(); }); // other gates
  for (const part of document.querySelectorAll("[data-part]")) events.addEventListener(part.dataset.part, ({ data }) => { hear(); place(part, JSON.parse(data)); });
  events.onerror = async () => {
    events.close();
    const answer = await fetch("/events", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) location.reload(); // the session is over
    else setTimeout(follow, RETRY_MS);
  };
}

function here() {
  if (performance.now() - hereAt < HERE_EVERY_MS) return;
  hereAt = performance.now();
  post("/here").catch(() => {});
}

if ($("#password-form")) {
  $("#password-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [ok, told] = await post("/signin", { name: $("#viewer").value, password: $("#password").value }).catch(() => [false, {}]);
    if (ok) location.reload();
    else say(...(told.words || ["Tidak terhubung", "Not connected"]));
  });
} else {
  $("#signout").addEventListener("click", () => post("/signout").finally(() => location.reload()));
  for (const kind of ["keydown", "pointerdown", "pointermove"]) document.addEventListener(kind, here, { passive: true });
  follow();
  tick();
  setInterval(() => { tick(); heed(); }, 1000);
}
