// Draws what /events says. Every text goes in as text, never as markup; the server has put it into words already.
"use strict";

const SILENCE_MS = 6000; // three missed beats of the stream
const RETRY_MS = 1000;
const ICONS = { good: "✓", warn: "!", bad: "✕", grey: "–", busy: "•" }; // a tone is never colour alone
const ROOMS = ["lane", "reader", "vision"];
const $ = (selector) => document.querySelector(selector);

function el(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

function both([indonesian, english], className = "both") {
  if (indonesian === english) return el("span", className, indonesian);
  const [id, en] = [el("span", "", indonesian), el("span", "en", english)];
  [id.lang, en.lang] = ["id", "en"];
  return el("span", className, id, " ", en);
}

const icon = (tone) => { const node = el("span", "icon", ICONS[tone]); node.ariaHidden = "true"; return node; };
const badge = (outcome) => el("span", `badge ${outcome.tone}`, icon(outcome.tone), el("b", "", outcome.code));
const milliseconds = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`);

// --- timeline: one band per room, parallel stages in rows of their own ------------------------------------------------

function timeline(stages, width, now) {
  const end = Math.max(1, now || 0, ...stages.map((stage) => stage.start + stage.duration));
  const [gutter, margin] = [64, 140]; // px for the room's name at the left, a label behind the last bar at the right
  const scale = Math.max(0.001, (width - gutter - margin) / end);
  const rooms = [...ROOMS, ...stages.map((stage) => stage.room)].filter((room, i, all) => all.indexOf(room) === i);
  const chart = el("div", "timeline");
  chart.append(axis(end, scale, gutter));
  for (const room of rooms) {
    const mine = stages.filter((stage) => stage.room === room).sort((a, b) => a.start - b.start);
    const rows = [];
    const band = el("div", "band", el("span", "room", room));
    for (const stage of mine) band.append(bar(stage, scale, gutter, rows));
    band.style.height = `${Math.max(1, rows.length) * 20 + 8}px`;
    chart.append(band);
  }
  if (now) {
    const cursor = el("div", "cursor");
    cursor.style.left = `${gutter + now * scale}px`;
    chart.append(cursor);
  }
  return chart;
}

function axis(end, scale, gutter) {
  const step = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000].find((ms) => ms * scale >= 60) || 60000;
  const line = el("div", "axis");
  for (let ms = 0; ms <= end; ms += step) {
    const tick = el("span", "", end < 1000 ? `${ms} ms` : `${ms / 1000} s`);
    tick.style.left = `${gutter + ms * scale}px`;
    line.append(tick);
  }
  return line;
}

function bar(stage, scale, gutter, rows) {
  const [left, length] = [stage.start * scale, Math.max(3, stage.duration * scale)];
  const text = `${stage.name} ${milliseconds(stage.duration)}`;
  const room = text.length * 6.3 + 12; // px, 11 px type
  const inside = length >= room;
  let row = rows.findIndex((used) => used <= left);
  if (row < 0) row = rows.length;
  rows[row] = left + (inside ? length : length + room) + 2;
  const node = el("div", `bar ${stage.tone}${inside ? "" : " outside"}`, el("span", "", text));
  node.title = `${text} · ${stage.result} · +${milliseconds(stage.start)}`;
  Object.assign(node.style, { left: `${gutter + left}px`, width: `${length}px`, top: `${row * 20 + 4}px` });
  return node;
}

// --- parts ----------------------------------------------------------------------------------------------------------

function plan(doors) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 300 76");
  const put = (name, attributes) => {
    const node = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    svg.append(node);
  };
  put("path", { d: "M40 10H260M40 66H260", class: "wall" });
  for (const [x, leaf] of [[80, doors.entry], [220, doors.exit]]) {
    if (leaf === "none") continue;
    const moving = leaf === "opening" || leaf === "closing";
    const shut = leaf === "locked";
    const d = shut ? `M${x} 12V64` : moving ? `M${x} 12V28M${x} 48V64` : `M${x} 12h16M${x} 64h16`;
    put("path", { d, class: `leaf ${shut ? "shut" : leaf === "released" ? "free" : "ajar"}` });
  }
  put("path", { d: "M12 38h18l-7-7m7 7-7 7M270 38h18l-7-7m7 7-7 7", class: "way" });
  const people = { one: [150], many: [130, 170] }[doors.occupancy] || [];
  for (const x of people) put("circle", { cx: x, cy: 38, r: 11, class: "person" });
  return svg;
}

function referralBody(referral) {
  if (!referral) return [el("p", "none", icon("good"), both(["Tidak ada rujukan", "No referral"]))];
  const reasons = referral.reasons.map((reason) => {
    const list = el("ul", "checks", ...reason.checks.map((check) => el("li", "", both(check))));
    return el("article", "", el("h3", "", both(reason.words)), el("code", "", reason.code), list);
  });
  const when = referral.now ? ["sekarang", "now"] : ["transaksi terakhir", "last transaction"];
  return [
    el("p", `verdict ${referral.outcome.tone}`, badge(referral.outcome), both(referral.outcome.words)),
    el("p", "which", both(when), " · ", el("code", "", referral.transaction)),
    ...reasons,
  ];
}

function checkRow(check) {
  const facts = [check.value, check.code, check.score === null ? "" : `score ${check.score.toFixed(3)} / threshold ${check.threshold === null ? "?" : check.threshold.toFixed(3)}`, check.source];
  return el("li", "", el("span", `result ${check.tone}`, icon(check.tone), both(check.result)),
    el("span", "check", both(check.name), el("small", "", facts.filter(Boolean).join(" · "))));
}

function decisionRow(decision) {
  const parts = [["grant", decision.grant], ["rules", decision.rules.join(", ")], ["tolerances", decision.tolerances.join(", ")], ["unmet", decision.unmet.join(", ")], ["version", decision.version]];
  const facts = parts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", "", name), el("dd", "", value)]);
  return el("div", "decision", el("h3", "", decision.stage), badge(decision.outcome), el("dl", "", ...facts));
}

function details(record, width) {
  const tree = record.checks.map((group) => el("div", "group", el("h3", "", both(group.name)), el("ul", "", ...group.checks.map(checkRow))));
  const backends = Object.entries(record.backends).map(([name, value]) => `${name}: ${value}`).join(" · ");
  return el("div", "details", timeline(record.stages, width), el("div", "decisions", ...record.decisions.map(decisionRow)),
    el("div", "tree", ...tree), el("p", "backends", record.demonstration ? "DEMONSTRATION · " : "", record.transaction, backends && " · ", backends));
}

// --- state and drawing ------------------------------------------------------------------------------------------------

let lane = null;
let ended = [];
let opened = "";
let began = { transaction: "", at: 0 };

function drawLane() {
  document.body.classList.toggle("lost", lane === null);
  if (lane === null) return;
  $("#where").replaceChildren(el("b", "", `${lane.checkpoint} · ${lane.name}`), " ", both(lane.direction));
  $("#profile").replaceChildren(lane.profile.toUpperCase());
  $("#profile").dataset.profile = lane.profile;
  $("#warnings").replaceChildren(...lane.warnings.map((warning) => el("li", "", icon("warn"), both(warning))));
  $("#tiles").replaceChildren(...lane.tiles.map((tile) =>
    el("div", `tile ${tile.tone}`, el("span", "name", both(tile.name)), el("span", "value", icon(tile.tone), both(tile.value)))));
  $("#plan").replaceChildren(plan(lane.doors));
  $("#referral .body").replaceChildren(...referralBody(lane.referral));
  $("#referral").dataset.tone = lane.referral ? lane.referral.outcome.tone : "none";
  if (lane.running && lane.running.transaction !== began.transaction)
    began = { transaction: lane.running.transaction, at: performance.now() };
  drawRunning();
}

function drawRunning() {
  const body = $("#running .body");
  const running = lane && lane.running;
  if (!running) {
    $("#clock").textContent = "";
    body.replaceChildren(el("p", "none", icon("busy"), both(["Menunggu pelintas", "Waiting for a traveller"])));
    return;
  }
  const now = Math.max(performance.now() - began.at, ...running.stages.map((stage) => stage.start + stage.duration));
  $("#clock").textContent = `${(now / 1000).toFixed(1)} s`;
  body.replaceChildren(timeline(running.stages, body.clientWidth, now),
    el("p", "which", el("code", "", running.transaction), " ", running.outcome ? badge(running.outcome) : ""));
}

function drawEnded() {
  const table = $("#ended tbody");
  const focused = table.contains(document.activeElement) && document.activeElement.dataset.transaction;
  const width = $("#ended").clientWidth - 70; // less the paddings of card, cell and details
  table.replaceChildren(...ended.flatMap((record) => {
    const open = record.transaction === opened;
    const button = el("button", "", icon(open ? "warn" : "grey"), record.time);
    button.firstChild.textContent = open ? "▾" : "▸";
    button.dataset.transaction = record.transaction;
    button.ariaExpanded = String(open);
    button.onclick = () => { opened = open ? "" : record.transaction; drawEnded(); };
    const reasons = record.reasons.length ? record.reasons.map((reason) => el("span", "why", both(reason.words), " ", el("code", "", reason.code))) : [el("span", "none", "–")];
    const row = el("tr", open ? "open" : "", el("td", "", button), el("td", "", both(record.class)),
      el("td", "", badge(record.outcome), both(record.outcome.words, "both small")), el("td", "", ...reasons), el("td", "number", record.seconds.toFixed(1)));
    if (!open) return [row];
    const cell = el("td", "", details(record, width));
    cell.colSpan = 5;
    return [row, el("tr", "more", cell)];
  }));
  if (!ended.length) {
    const cell = el("td", "none", both(["Belum ada transaksi", "No transactions yet"]));
    cell.colSpan = 5;
    table.append(el("tr", "", cell));
  }
  if (focused) table.querySelector(`[data-transaction="${CSS.escape(focused)}"]`)?.focus();
}

// --- stream -------------------------------------------------------------------------------------------------------------

let silence = 0;

function unreachable() {
  lane = null;
  drawLane();
}

function heard() {
  clearTimeout(silence);
  silence = setTimeout(unreachable, SILENCE_MS);
}

function follow() {
  const events = new EventSource("/events");
  events.addEventListener("beat", heard);
  events.addEventListener("lane", (event) => { heard(); lane = JSON.parse(event.data); drawLane(); });
  events.addEventListener("ended", (event) => { heard(); ended = JSON.parse(event.data); drawEnded(); });
  events.onerror = () => { unreachable(); events.close(); setTimeout(follow, RETRY_MS); };
}

setInterval(() => { if (lane && lane.running) drawRunning(); }, 250);
addEventListener("resize", () => { drawLane(); drawEnded(); });
unreachable();
drawEnded();
follow();
