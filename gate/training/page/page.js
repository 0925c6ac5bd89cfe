// Draws what /events says of the exercise, and carries what its officer does. Every text goes in as text, never as markup.
"use strict";

const RETRY_MS = 1000;
const $ = (selector) => document.querySelector(selector);
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function el(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function both([indonesian, english]) {
  const en = el("span", "", english);
  en.lang = "en";
  return el("span", "", indonesian, " ", en);
}

function button(words, press) {
  const node = el("button", "", both(words));
  node.type = "button";
  node.onclick = press;
  return node;
}

function say(tone, ...parts) {
  $("#said").className = tone;
  $("#said").replaceChildren(...parts);
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.refused);
  return told;
}

async function attempt(work) {
  say("");
  try {
    await work();
  } catch (error) {
    say("bad", both(["Tidak berhasil", "That did not work"]), ` (${error.name === "Error" ? error.message : error.name})`);
  }
}

async function makeKey() {
  const name = view.officer;
  const made = await navigator.credentials.create({ publicKey: {
    challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { id: document.body.dataset.rp, name: "autogate" },
    user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }], attestation: "none",
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  } });
  await post("/enrol", { credential: text64(made.rawId), key: text64(made.response.getPublicKey()) });
}

// --- the counter ------------------------------------------------------------------------------------------------------------

let asking = null;

function ask(act) {
  asking = act;
  $("#asked").replaceChildren(both(act.words));
  $("#why").replaceChildren(...act.reasons.map(({ code, words }) => { // none is chosen beforehand
    const choice = el("input");
    Object.assign(choice, { type: "radio", name: "reason", value: code });
    choice.onchange = () => { $("#sign").disabled = false; };
    return el("label", "", choice, both(words));
  }));
  $("#sign").disabled = true;
  $("#ask").showModal();
}

async function decide() {
  const told = { action: asking.id, reason: $("#why input:checked").value };
  $("#ask").close();
  const { challenge, credential } = await post("/prepare", told);
  const allowed = [{ type: "public-key", id: bytes(credential) }];
  const made = await navigator.credentials.get({ publicKey: { challenge: bytes(challenge), rpId: document.body.dataset.rp, allowCredentials: allowed, userVerification: "required", timeout: 60000 } });
  const { authenticatorData, clientDataJSON, signature } = made.response;
  await post("/decide", { ...told, authenticator_data: text64(authenticatorData), client_data: text64(clientDataJSON), signature: text64(signature) });
}

// --- drawing ----------------------------------------------------------------------------------------------------------------

let view = { phase: "wait" };
let drawnAt = 0;
let opened = false; // the list of what was in order

function evidenceOf({ outcome, reasons, facts }) {
  const why = reasons.map((reason) => el("li", "", both(reason.words), " ", el("code", "", reason.code), el("ul", "", ...reason.checks.map((check) => el("li", "", both(check))))));
  const good = facts.filter((fact) => fact.result === "successful");
  const rest = el("details", "", el("summary", "", both([`${good.length} pemeriksaan lain berhasil`, `${good.length} further checks were successful`])), tableOf(good));
  rest.open = opened;
  rest.ontoggle = () => { opened = rest.open; };
  return el("div", "", el("p", "", both(outcome.words), " ", el("code", "", outcome.code)), el("ul", "", ...why),
    tableOf(facts.filter((fact) => fact.result !== "successful")), rest);
}

function tableOf(facts) {
  return el("table", "", el("tbody", "", ...facts.map((fact) => {
    const label = el("th", "", both(fact.label));
    label.scope = "row";
    return el("tr", fact.result, label, el("td", "", el("code", "", fact.value)), el("td", "", both(fact.words)));
  })));
}

function lookOf(look) {
  if (look.finding) return el("li", "", both(look.words), el("p", "finding", both(look.finding)));
  const press = button(look.words, () => attempt(() => post("/look", { look: look.id })));
  press.dataset.look = look.id;
  return el("li", "", press);
}

function lineOf(line) {
  const most = line.most ? ` / ${line.most}` : "";
  const head = el("strong", "", `${line.points}${most} · `, both(line.kind), line.grave ? " · " : null, line.grave ? both(line.grave) : null);
  return el("li", line.tone, head, el("br"), line.what ? both(line.what) : null, line.what ? ": " : null, both(line.why));
}

function actOf(act) {
  const press = button(act.words, () => ask(act));
  press.dataset.action = act.id;
  return press;
}

function draw() {
  drawnAt = performance.now();
  const { phase } = view;
  const focused = document.activeElement?.dataset?.look;
  $("#who").textContent = view.officer || "";
  $("#key").hidden = phase !== "key";
  $("#wait").hidden = phase !== "wait";
  $("#case").hidden = !["briefing", "gate", "counter"].includes(phase);
  $("#review").hidden = phase !== "review";
  if (view.title) {
    $("#title").replaceChildren(`${view.number}/${view.count} · `, both(view.title));
    $("#briefing").replaceChildren(both(view.briefing));
  }
  $("#start").hidden = phase !== "briefing";
  $("#gate").hidden = phase !== "gate";
  $("#evidence").hidden = !view.evidence;
  $("#evidence > div").replaceChildren(...(view.evidence || []).slice(-1).map(evidenceOf));
  $("#looks").hidden = !view.looks?.length;
  $("#looks ul").replaceChildren(...(view.looks || []).map(lookOf));
  $("#acts").hidden = !view.acts;
  $("#acts > div").replaceChildren(...(view.acts || []).map(actOf));
  if (focused) ($(`[data-look="${CSS.escape(focused)}"]`) || $("#looks button") || $("#acts button"))?.focus();
  $("#further").hidden = phase !== "review" || view.number >= view.count;
  if (phase === "review") {
    const verdict = view.void ? ["tidak dinilai", "not scored"] : view.passed ? ["lulus", "passed"] : ["belum lulus", "not passed"];
    $("#points").replaceChildren(`${view.points} / 100 · `, both(verdict));
    $("#lines").replaceChildren(...view.lines.map(lineOf));
  }
  tick();
}

function tick() {
  if (view.waited === undefined) return $("#clock").replaceChildren();
  const seconds = Math.floor(view.waited + (performance.now() - drawnAt) / 1000);
  $("#clock").textContent = `${seconds} s / ${view.time_s} s`;
}

function follow() {
  const events = new EventSource("/events");
  events.addEventListener("desk", (event) => { view = JSON.parse(event.data); draw(); });
  events.onerror = () => {
    events.close();
    setTimeout(follow, RETRY_MS);
  };
}

$("#make").onclick = () => attempt(makeKey);
$("#begin").onclick = () => attempt(() => post("/begin", {}));
$("#next").onclick = () => attempt(() => post("/begin", {}));
$("#sign").onclick = () => attempt(decide);
setInterval(tick, 500);
draw();
follow();
