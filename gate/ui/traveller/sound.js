// What is heard beside what is seen: some tones for each kind of screen, and its words where this machine itself has a voice for them.
"use strict";

const HERTZ = { task: [660, 880], go: [523, 659, 784], pause: [523], back: [587, 440], refer: [587, 440], alarm: [880, 660, 880, 660] };
const APART_S = 0.2;
const LONG_S = 0.18;
const LOUD = 0.3;
let audio = null;

function tones(hertz) {
  audio ??= new AudioContext();
  hertz.forEach((frequency, number) => {
    const source = audio.createOscillator();
    const volume = audio.createGain();
    const at = audio.currentTime + number * APART_S;
    source.frequency.value = frequency;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(LOUD, at + 0.02);
    volume.gain.linearRampToValueAtTime(0, at + LONG_S);
    source.connect(volume).connect(audio.destination);
    source.start(at);
    source.stop(at + LONG_S);
  });
}

function say() {
  const voices = speechSynthesis.getVoices().filter((voice) => voice.localService); // no word goes over a network
  speechSynthesis.cancel();
  for (const part of document.querySelectorAll("main h1, main .second")) {
    const voice = voices.find((each) => each.lang.toLowerCase().startsWith(part.lang));
    if (!voice) continue;
    const words = new SpeechSynthesisUtterance(part.textContent);
    Object.assign(words, { voice, lang: voice.lang });
    speechSynthesis.speak(words);
  }
}

document.addEventListener("shown", ({ detail: tone }) => {
  if (document.body.hasAttribute("data-sound")) return; // muted
  tones(HERTZ[tone] || []);
  if (document.body.dataset.prompts === "spoken") say();
});
