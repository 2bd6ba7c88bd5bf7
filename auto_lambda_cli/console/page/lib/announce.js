// What a screen reader says without being asked: one sentence at a time, in one place of the page.
import { makeStore, useStore } from "./store.js";
import { html } from "./ui.js";

const said = makeStore("");

export const announce = (text) => said.set(text);

export function Announcer() {
  return html`<div class="unseen" role="status" aria-live="polite">${useStore(said)}</div>`;
}
