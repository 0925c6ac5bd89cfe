// Talking to the console, and the officer's key.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await answer.json();
  if (answer.status === 401) enter();
  if (!answer.ok) throw Object.assign(new Error(told.refused), { words: told.words });
  return told;
}

async function signed(challenge, rp, credential) {
  const allowed = credential ? [{ type: "public-key", id: bytes(credential) }] : [];
  const made = await navigator.credentials.get({ publicKey: { challenge: bytes(challenge), rpId: rp, allowCredentials: allowed, userVerification: "required", timeout: 60000 } });
  const { authenticatorData, clientDataJSON, signature } = made.response;
  return { credential: text64(made.rawId), authenticator_data: text64(authenticatorData), client_data: text64(clientDataJSON), signature: text64(signature) };
}

// One touch for signing in, or for staying, and for every lane that can be reached.
async function goOnWatch(path) {
  const { challenge, rp } = await post("/signin/begin", {});
  return post(path, { challenge, ...(await signed(challenge, rp)) });
}

async function makeKey(name) {
  const made = await navigator.credentials.create({ publicKey: {
    challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { id: location.hostname, name: "autogate" },
    user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }], attestation: "none",
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  } });
  return { name, credential: text64(made.rawId), key: text64(made.response.getPublicKey()) };
}
