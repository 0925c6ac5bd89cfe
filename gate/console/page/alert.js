// The alert that is heard: two tones of our own. A browser plays them once the officer has touched the page.
"use strict";

const TONES_HZ = [660, 880];
const TONE_S = 0.16;
const AGAIN_MS = 10000;

const alerting = { context: null, on: true, last: -AGAIN_MS, played: 0 };

function wakeSound() {
  alerting.context ??= new AudioContext();
  if (alerting.context.state === "suspended") alerting.context.resume();
}

function tone(hertz, at) {
  const voice = alerting.context.createOscillator();
  const volume = alerting.context.createGain();
  voice.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
  volume.gain.linearRampToValueAtTime(0, at + TONE_S);
  voice.connect(volume).connect(alerting.context.destination);
  voice.start(at);
  voice.stop(at + TONE_S);
}

// Sound while `needed`: at once when it becomes so, and again every ten seconds.
function soundAlert(needed, fresh) {
  if (!needed || !alerting.on || !alerting.context) return;
  if (!fresh && performance.now() - alerting.last < AGAIN_MS) return;
  alerting.last = performance.now();
  alerting.played += 1;
  TONES_HZ.forEach((hertz, number) => tone(hertz, alerting.context.currentTime + number * TONE_S));
}
