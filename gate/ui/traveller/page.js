// Shows the screen that the lane names. Whatever is missing, late or unknown is the closed gate.
"use strict";

const SILENCE_MS = 6000; // three missed beats of the stream
const RETRY_MS = 1000;
const FORGET_MS = 20000; // after which what one traveller chose is not the next one's
const main = document.querySelector("main");
const button = (name) => document.querySelector(`button[data-does="${name}"]`);
let shown = "";
let silence = 0;
let forgetting = 0;

function show(screen, progress, guidance, moreTime) {
  const template = document.querySelector(`template[data-screen="${CSS.escape(screen)}"]`);
  if (!template) return show("closed", 0);
  const asked = guidance && document.querySelector(`template[data-guidance="${CSS.escape(guidance)}"]`);
  const wanted = asked ? `${screen} ${guidance}` : screen;
  if (wanted !== shown) {
    shown = wanted;
    document.body.dataset.tone = template.dataset.tone;
    main.dataset.screen = screen;
    main.replaceChildren(template.content.cloneNode(true));
    if (asked) for (const part of ["figure", ".words"]) main.querySelector(part).replaceWith(asked.content.querySelector(part).cloneNode(true));
    clearTimeout(forgetting);
    if (screen === "scan") forgetting = setTimeout(forget, FORGET_MS);
    document.dispatchEvent(new CustomEvent("shown", { detail: template.dataset.tone }));
  }
  const bar = main.querySelector("progress");
  if (bar) bar.value = progress || 0;
  button("more_time")?.setAttribute("aria-pressed", Boolean(moreTime));
}

// --- what a traveller may choose: for this page alone, but for more time, which the lane grants and tells of ---------------

function choose(name, on) {
  button(name)?.setAttribute("aria-pressed", on);
  document.body.toggleAttribute(`data-${name}`, on);
}

function forget() {
  for (const name of ["still", "contrast", "sound"]) choose(name, false);
}

function press({ currentTarget: { dataset, ariaPressed } }) {
  clearTimeout(forgetting);
  if (main.dataset.screen === "scan") forgetting = setTimeout(forget, FORGET_MS);
  if (dataset.does !== "more_time") choose(dataset.does, ariaPressed !== "true");
  else if (ariaPressed !== "true") fetch("/more-time", { method: "POST" }).catch(() => {});
}

for (const each of document.querySelectorAll("button")) each.onclick = press;

// --- the lane ---------------------------------------------------------------------------------------------------------------

function heard() {
  clearTimeout(silence);
  silence = setTimeout(() => show("closed", 0), SILENCE_MS);
}

function follow() {
  const events = new EventSource("/events");
  events.addEventListener("beat", heard);
  events.addEventListener("screen", (event) => {
    heard();
    const view = JSON.parse(event.data);
    show(view.screen, view.progress, view.guidance, view.more_time);
  });
  events.onerror = () => {
    show("closed", 0);
    events.close();
    setTimeout(follow, RETRY_MS);
  };
}

show("closed", 0);
follow();
