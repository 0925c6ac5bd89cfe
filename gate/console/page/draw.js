// Places what the console says. Every text goes in as text, never as markup; what did not change is not touched, so that focus stays.
"use strict";

const PICTURE_TRIES = 5;
const PICTURE_AGAIN_MS = 1000;

const $ = (selector) => document.querySelector(selector);

function el(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function both([indonesian, english]) {
  if (indonesian === english) return el("span", "", indonesian);
  const en = el("span", "", english);
  en.lang = "en";
  return el("span", "", indonesian, " ", en);
}

function say(tone, ...parts) {
  $("#said").className = tone;
  $("#said").replaceChildren(...parts);
}

// Fill `node` by `make`, but only where `what` is not what stands there.
function fill(node, what, make) {
  const told = JSON.stringify(what);
  if (node.told === told) return;
  node.told = told;
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...make());
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

const stateOf = (lane) => (lane.reachable ? lane.state : "unreachable");
const wordsOf = (lane) => (lane.reachable ? lane.words : ["Tidak terhubung", "Unreachable"]);

function clockOf(lane, className = "clock") {
  const clock = el("span", className);
  clock.dataset.came = lane.came;
  return clock;
}

function tick() {
  for (const clock of document.querySelectorAll(".clock[data-came]")) {
    const seconds = Math.max(0, Date.now() / 1000 - Number(clock.dataset.came));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  }
}

function button(words, key, onclick) {
  const node = el("button", "", both(words), " ", el("kbd", "", key.toUpperCase()));
  node.type = "button";
  node.onclick = onclick;
  return node;
}

function tileOf(lane, chosen, choose) {
  const node = el("button", `tile ${lane.reachable ? lane.tone : "bad"}`, el("b", "", lane.name), clockOf(lane),
    el("span", "state", both(wordsOf(lane))), lane.troubles?.length ? el("span", "trouble", both(lane.troubles[0])) : null);
  node.type = "button";
  Object.assign(node.dataset, { lane: lane.name, state: stateOf(lane), key: lane.name });
  node.setAttribute("aria-pressed", String(lane.name === chosen));
  if (lane.urgency !== null && lane.urgency !== undefined) node.classList.add("waits");
  node.onclick = () => choose(lane.name);
  return node;
}

function queueItem(lane, number, choose) {
  const outcome = lane.case?.outcome;
  const node = el("button", `wait ${outcome ? outcome.tone : lane.tone}`, el("kbd", "", String(number)), " ", el("b", "", lane.name), " ",
    both(outcome ? outcome.words : lane.words), clockOf(lane),
    lane.case?.viewers.length ? el("span", "viewers", both(["dibuka oleh", "opened by"]), ` ${lane.case.viewers.join(", ")}`) : null);
  node.type = "button";
  Object.assign(node.dataset, { lane: lane.name, key: lane.name });
  node.onclick = () => choose(lane.name);
  return el("li", "", node);
}

function caseOf(told) {
  const rows = [[["Dokumen", "Document"], both(told.class)], [["Izin keluar", "Exit permit"], both(told.permit)], [["Di dalam", "Inside"], told.inside]];
  if (told.outcome) rows.push([["Hasil", "Outcome"], both(told.outcome.words)]);
  if (told.viewers.length) rows.push([["Dibuka oleh", "Opened by"], told.viewers.join(", ")]);
  if (told.first_pass) rows.push([["Tanda tangan pertama", "First signature"], told.first_pass]);
  const list = el("dl", "", ...rows.flatMap(([name, value]) => [el("dt", "", both(name)), el("dd", "", value)]));
  const reasons = told.reasons.map((reason) => el("li", "", both(reason.words), " ", el("code", "", reason.code),
    el("ul", "ask", ...reason.checks.map((check) => el("li", "", both(check))))));
  return [list, el("h3", "", both(["Sebab, dan apa yang diperiksa dan ditanyakan", "Why, and what to check and ask"])), el("ul", "", ...reasons)];
}

function groupOf(group) {
  const checks = group.checks.map((check) => el("li", `check ${check.tone}`, both(check.name), ": ", el("b", "", both(check.result)), " ",
    el("code", "", [check.value, check.code].filter((told) => told && told !== check.result[1]).join(" · "))));
  return el("section", "", el("h3", "", both(group.name)), el("ul", "", ...checks));
}

// Pictures are asked for by showing them: the address is set once, and again only where it is another one, or did not answer yet.
function showPicture(image, address) {
  if ((image.dataset.address || "") === address) return;
  image.left = image.dataset.last === address ? image.left - 1 : PICTURE_TRIES;
  image.dataset.address = image.dataset.last = address;
  image.hidden = true;
  image.onload = () => { image.hidden = false; };
  image.onerror = () => {
    image.hidden = true;
    if (image.left > 1) setTimeout(() => { if (image.dataset.address === address) image.dataset.address = ""; }, PICTURE_AGAIN_MS);
  };
  if (address) image.src = address;
  else image.removeAttribute("src");
}

function drawOpened(opened) {
  $("#opened").hidden = !opened;
  const address = opened?.pictures || "";
  for (const which of ["chip", "live"]) showPicture($(`#${which}`), address && `${address}/${which}`);
  fill($("#zone"), opened?.zone || [], () => (opened?.zone || []).flatMap(({ name, value }) => [el("dt", "", both(name)), el("dd", "", value)]));
  fill($("#checks"), opened?.checks || [], () => (opened?.checks || []).map(groupOf));
}
