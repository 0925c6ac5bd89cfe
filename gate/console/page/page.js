// The console: which lane is looked at, what an officer presses, what the lanes say.
"use strict";

const RETRY_MS = 1000;
const HERE_EVERY_MS = 60000;
const WATCH_WARNS_S = 180;
const IDLE_WARNS_S = 120;

let me = null;
let actions = [];
let lanes = [];
let events = null;
let chosen = "";
let picked = false; // by the officer: then it stays, until who waited there has gone
let waitedThere = false;
let opened = null; // {lane, transaction, told}: the case that this officer opened
let asking = null;
let waiting = new Set();
let keysOn = true;
let hereAt = 0;
let touchedAt = performance.now();

const laneNamed = (name) => lanes.find((lane) => lane.name === name);
const waits = (lane) => Number.isInteger(lane.urgency);
const queue = () => lanes.filter(waits).sort((a, b) => a.urgency - b.urgency || a.came - b.came);

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.words) say("bad", both(error.words));
    else say("bad", both(["Tidak ditandatangani", "Not signed"]), ` (${error.name || error.message})`);
  }
}

// --- signing in, and staying -----------------------------------------------------------------------------------------------

function sayWatch(watch) {
  const refused = watch.filter((each) => each.refused);
  if (refused.length) say("bad", ...refused.flatMap((each) => [`${each.lane}: `, both(each.words), " "]));
  else say("");
}

async function signIn() {
  wakeSound();
  const { watch } = await goOnWatch("/signin");
  sayWatch(watch);
  await enter();
}

async function lookIn() {
  await post("/signin/password", { name: $("#viewer").value, password: $("#password").value });
  $("#password").value = "";
  say("");
  await enter();
}

async function stay() {
  wakeSound();
  sayWatch((await goOnWatch("/watch")).watch);
}

function watchEnds() {
  const reachable = lanes.filter((lane) => lane.reachable);
  return reachable.length ? Math.min(...reachable.map((lane) => lane.watching[me.officer] || 0)) : 0;
}

function drawWatch() {
  const node = $("#watch");
  node.hidden = !me?.watches || !lanes.some((lane) => lane.reachable);
  if (node.hidden) return false;
  const left = watchEnds() - Date.now() / 1000;
  const idle = me.idle_s - (performance.now() - touchedAt) / 1000 < IDLE_WARNS_S;
  const late = idle || left < WATCH_WARNS_S;
  node.className = late ? "late" : "";
  const words = idle ? ["Tekan tombol apa saja untuk tetap masuk", "Press any key to stay signed in"] : left <= 0 ? ["Belum berjaga", "Not on watch"] : [`Berjaga ${Math.ceil(left / 60)} menit lagi`, `On watch for ${Math.ceil(left / 60)} min`];
  fill(node, words, () => [both(words), " ", el("kbd", "", "W")]);
  return late;
}

// --- the case ----------------------------------------------------------------------------------------------------------------

async function openCase(tries = PICTURE_TRIES) {
  const lane = laneNamed(chosen);
  if (!lane?.case || lane.state !== "hold" || !me.opens) return;
  const { transaction } = lane.case;
  const told = await post("/case", { lane: lane.name, transaction });
  if (laneNamed(lane.name)?.case?.transaction !== transaction) return; // gone meanwhile
  opened = { lane: lane.name, transaction, told };
  draw();
  if (!told.pictures && tries > 1) setTimeout(() => { if (opened?.transaction === transaction) attempt(() => openCase(tries - 1)); }, RETRY_MS);
}

function dropClosed() {
  const lane = opened && laneNamed(opened.lane);
  if (opened && !(lane?.reachable && lane.state === "hold" && lane.case?.transaction === opened.transaction)) opened = null;
}

// --- orders ------------------------------------------------------------------------------------------------------------------

function ask(lane, action) {
  asking = { lane, action };
  const who = lane.case ? ` · ${lane.case.transaction.slice(0, 8)}` : "";
  $("#asked").replaceChildren(both(action.words), ` · ${lane.name}${action.about === "traveller" ? who : ""}`);
  $("#why").replaceChildren(...action.reasons.map(({ code, words }, number) => { // none is chosen beforehand: an officer means the one that is signed
    const choice = el("input");
    Object.assign(choice, { type: "radio", name: "reason", value: code });
    choice.onchange = () => { $("#sign").disabled = false; };
    return el("label", "", choice, el("kbd", "", String(number + 1)), both(words));
  }));
  $("#sign").disabled = true;
  $("#ask").showModal();
}

async function order() {
  const { lane, action } = asking;
  const reason = $("#why input:checked").value;
  $("#ask").close();
  const transaction = action.about === "traveller" && lane.case ? lane.case.transaction : "";
  const told = { lane: lane.name, action: action.id, reason, transaction };
  const { nonce, challenge, credential, rp } = await post("/prepare", told);
  const answer = await post("/act", { ...told, nonce, ...(await signed(challenge, rp, credential)) });
  const label = [both(action.words), ` · ${lane.name}: `];
  if (answer.refused) say("bad", ...label, both(answer.words), answer.detail ? ` (${answer.detail})` : "");
  else if (answer.awaits_second) say("", ...label, both(["menunggu petugas kedua", "waits for a second officer"]));
  else say("good", ...label, both(["dilaksanakan", "carried out"]));
}

const allowed = (lane) => (lane?.reachable && me?.acts ? actions.filter((action) => action.roles.includes(me.role) && lane.offers.includes(action.id)) : []);

// --- drawing -----------------------------------------------------------------------------------------------------------------

function choose(name) {
  [chosen, picked, waitedThere] = [name, true, false];
  draw();
}

// Whoever waits comes onto the desk by themselves, but never in place of a lane that the officer looks at.
function chooseFirst(urgent) {
  const waitsThere = waits(laneNamed(chosen) || {});
  if (waitedThere && !waitsThere) picked = false;
  if (!picked && !waitsThere && urgent.length) chosen = urgent[0].name;
  if (!laneNamed(chosen)) chosen = lanes[0]?.name || "";
  waitedThere = waits(laneNamed(chosen) || {});
}

function drawDesk(lane) {
  const desk = $("#desk");
  desk.hidden = !lane;
  if (!lane) return;
  desk.className = `lane ${lane.reachable ? lane.tone : "bad"}`;
  Object.assign(desk.dataset, { lane: lane.name, state: stateOf(lane) });
  $("#lane-name").textContent = lane.name;
  $("#lane-where").textContent = lane.reachable ? `${lane.checkpoint} · ${lane.direction[0]} · ${lane.profile}` : "";
  $("#lane-clock").dataset.came = lane.came;
  fill($("#lane-state"), wordsOf(lane), () => [both(wordsOf(lane))]);
  const troubles = [...(lane.troubles || [])];
  if (lane.first_emergency) troubles.push([`Buka darurat: ${lane.first_emergency}, perlu petugas kedua`, `Open in emergency: ${lane.first_emergency}, it takes a second officer`]);
  fill($("#troubles"), troubles, () => troubles.map((trouble) => el("li", "", both(trouble))));
  $("#case").hidden = !lane.case;
  fill($("#case"), lane.case, () => (lane.case ? caseOf(lane.case) : []));
  const mine = allowed(lane);
  fill($("#acts"), [lane.name, mine.map((action) => action.id)], () => mine.map((action) => {
    const node = button(action.words, action.key, () => ask(laneNamed(lane.name), action));
    Object.assign(node.dataset, { action: action.id, key: action.id });
    return node;
  }));
  const open = opened?.lane === lane.name ? opened.told : null;
  $("#open").hidden = !(me?.opens && lane.case && lane.state === "hold" && !open);
  drawOpened(open);
}

function draw() {
  dropClosed();
  const urgent = queue();
  chooseFirst(urgent);
  fill($("#queue"), urgent.map((lane) => [lane.name, lane.case, lane.words, lane.came]), () => urgent.map((lane, number) => queueItem(lane, number + 1, choose)));
  $("#nobody").hidden = urgent.length > 0;
  fill($("#tiles"), [chosen, ...lanes.map((lane) => [lane.name, stateOf(lane), lane.came, lane.troubles, lane.urgency])], () => lanes.map((lane) => tileOf(lane, chosen, choose)));
  drawDesk(laneNamed(chosen));
  $("#practice").hidden = !lanes.some((lane) => lane.profile === "demo"); // a training says so by itself
  document.title = `${urgent.length ? `(${urgent.length}) ` : ""}autogate · konsol petugas`;
  heed(urgent);
  tick();
}

// Somebody who waits, and a watch that ends, are heard until an officer turns to them.
function heed(urgent) {
  const now = new Set(urgent.map((lane) => `${lane.name} ${lane.case?.transaction || lane.state}`));
  const fresh = [...now].some((each) => !waiting.has(each));
  waiting = now;
  const unopened = urgent.some((lane) => !lane.case?.viewers.length);
  const late = me ? drawWatch() : false;
  soundAlert(Boolean(me) && (unopened || late), fresh);
}

function hear(number, told) {
  lanes[number] = told;
  draw();
}

function follow() {
  events?.close();
  const heard = new Set();
  events = new EventSource("/events");
  events.addEventListener("lanes", (event) => {
    lanes = lanes.slice(0, Number(event.data));
    for (let number = 0; number < Number(event.data); number += 1) {
      if (heard.has(number)) continue;
      heard.add(number);
      events.addEventListener(`lane${number}`, (told) => hear(number, JSON.parse(told.data)));
    }
  });
  events.onerror = () => {
    events.close();
    lanes = lanes.map((lane) => ({ name: lane.name, came: lane.came, reachable: false }));
    draw();
    setTimeout(enter, RETRY_MS);
  };
}

async function enter() {
  let told = { officer: null };
  try {
    told = await (await fetch("/me")).json();
  } catch {
    setTimeout(enter, RETRY_MS);
  }
  me = told.officer ? told : null;
  actions = told.actions || [];
  fill($("#who"), me && [me.officer, me.role_words, me.acts], () => (me ? [`${me.officer} · `, both(me.role_words), me.acts ? "" : both([" · hanya melihat", "looks only"])] : []));
  for (const id of ["#signout", "#sound", "#shortcuts", "#bank"]) $(id).hidden = !me;
  $("#signin").hidden = Boolean(me);
  if (me) follow();
  else {
    events?.close();
    [lanes, opened, chosen] = [[], null, ""];
    draw();
    $("#watch").hidden = true;
  }
}

// --- keys --------------------------------------------------------------------------------------------------------------------

function inDialog(event) {
  if (event.key === "Enter") {
    event.preventDefault();
    if (!$("#sign").disabled) $("#sign").click();
  } else if (/^[1-9]$/.test(event.key)) {
    $(`#why label:nth-child(${event.key}) input`)?.click();
  }
}

function move(by) {
  const at = lanes.findIndex((lane) => lane.name === chosen);
  if (lanes.length) choose(lanes[(at + by + lanes.length) % lanes.length].name);
}

function onKey(event) {
  here();
  if ($("#ask").open) return inDialog(event);
  if (!me || !keysOn || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input")) return undefined;
  const key = event.key.toLowerCase();
  const action = allowed(laneNamed(chosen)).find((each) => each.key === key);
  const pressed = { o: () => attempt(() => openCase()), w: () => me.watches && attempt(stay), m: () => $("#sound").click(), j: () => move(1), k: () => move(-1) };
  if (action) ask(laneNamed(chosen), action);
  else if (/^[1-9]$/.test(key) && queue()[Number(key) - 1]) choose(queue()[Number(key) - 1].name);
  else if (pressed[key]) pressed[key]();
  else return undefined;
  return event.preventDefault();
}

// That somebody sits here keeps them signed in; a screen that nobody touches is left, and its officer's watch with it.
function here() {
  touchedAt = performance.now();
  if (!me || performance.now() - hereAt < HERE_EVERY_MS) return;
  hereAt = performance.now();
  post("/here", {}).catch(() => {});
}

function toggle(node, set) {
  node.onclick = () => {
    const on = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", String(on));
    set(on);
  };
}

$("#enter").onclick = () => attempt(signIn);
$("#password-form").onsubmit = (event) => { event.preventDefault(); attempt(lookIn); };
$("#make").onclick = () => attempt(async () => {
  const name = $("#name");
  if (name.value && name.reportValidity()) $("#made").value = JSON.stringify(await makeKey(name.value));
});
$("#sign").onclick = () => attempt(order);
$("#open").onclick = () => attempt(() => openCase());
$("#watch").onclick = () => attempt(stay);
$("#signout").onclick = () => attempt(async () => { await post("/signout", {}); await enter(); });
toggle($("#sound"), (on) => { alerting.on = on; if (on) wakeSound(); });
toggle($("#shortcuts"), (on) => { keysOn = on; });
document.addEventListener("keydown", onKey);
document.addEventListener("pointerdown", here);
setInterval(() => { tick(); if (me) heed(queue()); }, 500);
enter();
