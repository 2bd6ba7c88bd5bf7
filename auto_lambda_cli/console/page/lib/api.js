// Requests to the console's own server. Paths are relative to the page's address, which holds the token.
import { makeStore } from "./store.js";

// These concern every part of the page alike: it shows one banner for them.
const LOGIN = new Set(["no-credentials", "expired-credentials", "unknown-credentials", "no-region"]);

export const login = makeStore(null); // why AWS takes no request of ours
export const offline = makeStore(false); // whether the server does not answer

export class Failure extends Error {
  constructor({ code, message, hint = null, retry = false }) {
    super(message);
    Object.assign(this, { code, hint, retry });
  }
}

const UNREACHED = {
  code: "offline",
  message: "The console's server does not answer.",
  hint: "Is auto-lambda console (or local up) still running? It has another address each time it starts.",
  retry: true,
};

export const isLogin = (error) => Boolean(error) && LOGIN.has(error.code);

export function note(error) {
  if (isLogin(error)) login.set(error);
}

// Parts of an answer: those that AWS refused for want of a login are told once, for all.
export function noteParts(parts) {
  const errors = Object.values(parts).map((part) => part.error);
  const refused = errors.find(isLogin);
  if (refused) login.set(refused);
  else if (errors.some((error) => !error)) login.set(null);
}

export async function failureOf(response) {
  let told = null;
  try {
    told = (await response.json()).error;
  } catch { /* not ours: told by its status */ }
  return new Failure(told ?? { code: "internal", message: `The console's server answered ${response.status}.`, retry: true });
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, redirect: "error", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    offline.set(true);
    throw new Failure(UNREACHED);
  }
  offline.set(false);
  if (response.ok) return response.json();
  const failure = await failureOf(response);
  note(failure);
  throw failure;
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body = {}) =>
  request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Auto-Lambda": "console" },
    body: JSON.stringify(body),
  });

export const appPath = ({ stage, name }) => `api/apps/${encodeURIComponent(stage)}/${encodeURIComponent(name)}`;
