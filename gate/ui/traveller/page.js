// Shows the screen that the lane names. Whatever is missing, late or unknown is the closed gate.
"use strict";

const SILENCE_MS = 6000; // three missed beats of the stream
const RETRY_MS = 1000;
const main = document.querySelector("main");
let shown = "";
let silence = 0;

function show(screen, progress, guidance) {
  const template = document.querySelector(`template[data-screen="${CSS.escape(screen)}"]`);
  if (!template) return show("closed", 0);
  const asked = guidance && document.querySelector(`template[data-guidance="${CSS.escape(guidance)}"]`);
  const wanted = asked ? `${screen} ${guidance}` : screen;
  if (wanted !== shown) {
    shown = wanted;
    document.body.dataset.tone = template.dataset.tone;
    main.dataset.screen = screen;
    main.replaceChildren(template.content.cloneNode(true));
    if (asked) main.querySelector(".words").replaceChildren(asked.content.cloneNode(true));
  }
  const bar = main.querySelector("progress");
  if (bar) bar.value = progress || 0;
}

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
    show(view.screen, view.progress, view.guidance);
  });
  events.onerror = () => {
    show("closed", 0);
    events.close();
    setTimeout(follow, RETRY_MS);
  };
}

show("closed", 0);
follow();
