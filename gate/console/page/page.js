// Draws what /events says, and carries what an officer signs. Every text goes in as text, never as markup.
"use strict";

const RETRY_MS = 1000;
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

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function say(tone, ...parts) {
  $("#said").className = tone;
  $("#said").replaceChildren(...parts);
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await answer.json();
  if (answer.status === 401) enter();
  if (!answer.ok) throw Object.assign(new Error(told.refused), { words: told.words });
  return told;
}

// --- the officer's key ----------------------------------------------------------------------------------------------------

async function signed(challenge, rp, credential) {
  const allowed = credential ? [{ type: "public-key", id: bytes(credential) }] : [];
  const made = await navigator.credentials.get({ publicKey: { challenge: bytes(challenge), rpId: rp, allowCredentials: allowed, userVerification: "required", timeout: 60000 } });
  const { authenticatorData, clientDataJSON, signature } = made.response;
  return { credential: text64(made.rawId), authenticator_data: text64(authenticatorData), client_data: text64(clientDataJSON), signature: text64(signature) };
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.words) say("bad", both(error.words));
    else say("bad", both(["Tidak ditandatangani", "Not signed"]), ` (${error.name || error.message})`);
  }
}

async function signIn() {
  const { challenge, rp } = await post("/signin/begin", {});
  await post("/signin", { challenge, ...(await signed(challenge, rp)) });
  say("");
  await enter();
}

async function makeKey() {
  const name = $("#name");
  if (!name.value || !name.reportValidity()) return;
  const made = await navigator.credentials.create({ publicKey: {
    challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { id: location.hostname, name: "autogate" },
    user: { id: crypto.getRandomValues(new Uint8Array(16)), name: name.value, displayName: name.value },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }], attestation: "none",
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  } });
  const line = { name: name.value, credential: text64(made.rawId), key: text64(made.response.getPublicKey()) };
  $("#made").value = JSON.stringify(line);
}

// --- orders ---------------------------------------------------------------------------------------------------------------

let actions = [];
let asking = null;

function ask(lane, action) {
  asking = { lane, action };
  const who = lane.case ? ` · ${lane.case.transaction.slice(0, 8)}` : "";
  $("#asked").replaceChildren(both(action.words), ` · ${lane.name}${action.about === "traveller" ? who : ""}`);
  $("#why").replaceChildren(...action.reasons.map(({ code, words }) => { // none is chosen beforehand: an officer means the one that is signed
    const choice = el("input");
    Object.assign(choice, { type: "radio", name: "reason", value: code });
    choice.onchange = () => { $("#sign").disabled = false; };
    return el("label", "", choice, both(words));
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

// --- drawing ----------------------------------------------------------------------------------------------------------------

let me = null;
let bank = [];
let drawnAt = 0;
let events = null;

function caseOf(lane) {
  const told = lane.case;
  if (!told) return null;
  const rows = [[["Dokumen", "Document"], both(told.class)], [["Izin keluar", "Exit permit"], both(told.permit)], [["Di dalam", "Inside"], told.inside]];
  if (told.outcome) rows.push([["Hasil", "Outcome"], both(told.outcome.words)]);
  if (told.first_pass) rows.push([["Tanda tangan pertama", "First signature"], told.first_pass]);
  const list = el("dl", "", ...rows.flatMap(([name, value]) => [el("dt", "", both(name)), el("dd", "", value)]));
  const reasons = told.reasons.map((reason) => el("li", "", both(reason.words), " ", el("code", "", reason.code),
    el("ul", "", ...reason.checks.map((check) => el("li", "", both(check))))));
  return el("div", "case", list, el("ul", "", ...reasons));
}

function laneOf(lane) {
  const node = el("article", `lane ${lane.reachable ? lane.tone : "bad"}`);
  node.dataset.lane = lane.name;
  node.dataset.state = lane.state || "unreachable";
  if (lane.state === "hold") node.classList.add("waits");
  const clock = el("span", "clock");
  clock.dataset.waited = lane.waited || 0;
  node.append(el("h2", "", lane.name, lane.reachable ? el("small", "", `${lane.checkpoint} · ${lane.profile}`) : null, clock));
  if (!lane.reachable) {
    node.append(el("p", "state", both(["Tidak terhubung", "Unreachable"])));
    return node;
  }
  node.append(el("p", "state", both(lane.words)), el("ul", "troubles", ...lane.troubles.map((trouble) => el("li", "", both(trouble)))));
  const told = caseOf(lane);
  if (told) node.append(told);
  const buttons = actions.filter((action) => action.roles.includes(me.role) && lane.offers.includes(action.id)).map((action) => {
    const button = el("button", "", both(action.words));
    button.type = "button";
    button.dataset.action = action.id;
    button.onclick = () => ask(lane, action);
    return button;
  });
  node.append(el("div", "acts", ...buttons));
  return node;
}

function draw() {
  const focused = document.activeElement?.closest?.(".lane")?.dataset.lane;
  const action = document.activeElement?.dataset?.action;
  drawnAt = performance.now();
  const urgent = [...bank].sort((a, b) => (b.state === "hold") - (a.state === "hold"));
  $("#bank").replaceChildren(...urgent.map(laneOf));
  if (focused && action) $(`.lane[data-lane="${CSS.escape(focused)}"] [data-action="${CSS.escape(action)}"]`)?.focus();
  tick();
}

function tick() {
  for (const clock of document.querySelectorAll(".clock")) {
    const seconds = Number(clock.dataset.waited) + (performance.now() - drawnAt) / 1000;
    clock.textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  }
}

function follow() {
  events?.close();
  events = new EventSource("/events");
  events.addEventListener("bank", (event) => { bank = JSON.parse(event.data); draw(); });
  events.onerror = () => {
    events.close();
    bank = bank.map((lane) => ({ name: lane.name, reachable: false }));
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
  $("#who").textContent = me ? `${me.officer} · ${me.role}` : "";
  $("#signout").hidden = $("#bank").hidden = !me;
  $("#signin").hidden = Boolean(me);
  if (me) follow();
  else events?.close();
}

$("#enter").onclick = () => attempt(signIn);
$("#make").onclick = () => attempt(makeKey);
$("#sign").onclick = () => attempt(order);
$("#signout").onclick = () => attempt(async () => { await post("/signout", {}); await enter(); });
setInterval(tick, 500);
enter();
