// Small pieces that every view uses.
import { isLogin } from "../lib/api.js";
import { absolute, ago, capitalized } from "../lib/format.js";
import { useNow } from "../lib/loaded.js";
import { linkTo } from "../lib/router.js";
import { classes, html, useState } from "../lib/ui.js";

export function Time({ at }) {
  useNow(true, 20000);
  return at ? html`<time datetime=${at} title=${absolute(at)}>${ago(at)}</time>` : null;
}

const TONES = {
  live: "good", failed: "bad", delayed: "warn", building: "busy", deploying: "busy", queued: "busy",
  superseded: "calm", undeployed: "calm",
};

export const Status = ({ status, step }) =>
  html`<span class=${classes("status", TONES[status] ?? "calm")}>${capitalized(status)}${step && TONES[status] === "busy" ? html`: ${step}` : ""}</span>`;

export const Loading = ({ what }) =>
  html`<div class="loading" role="status"><span class="spinner" aria-hidden="true"></span> Loading ${what}</div>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;

export function Problem({ error, what, again }) {
  if (isLogin(error)) return what ? html`<p class="note">${capitalized(what)}: not shown without a login.</p>` : html`<${NotDone} />`;
  return html`
    <div class="problem" role="alert">
      <p><strong>${what ? `${capitalized(what)} cannot be shown.` : ""}</strong> ${error.message}</p>
      ${error.hint && html`<p class="hint">${error.hint}</p>`}
      ${again && html`<button type="button" onClick=${again}>Try again</button>`}
    </div>`;
}

// The banner says why.
const NotDone = () => html`<div class="problem" role="alert"><p>That was not done: it needs a login. Log in, and try again.</p></div>`;

// A part of an answer: loading, failed, or what `children`, a function of its value, makes of it.
export function Part({ loaded, name, what, children }) {
  if (loaded.loading) return html`<${Loading} what=${what} />`;
  const part = loaded.data?.parts[name];
  const error = loaded.error && !loaded.data ? loaded.error : part?.error;
  if (error) return html`<${Problem} error=${error} what=${what} again=${loaded.reload} />`;
  return children(part.value, loaded.data.at);
}

// `word` shows its own text, and as what it is: code.
export function Prose({ text }) {
  const pieces = text.split(/(`[^`\n]+`)/);
  return html`${pieces.map((piece) => (/^`[^`]+`$/.test(piece) ? html`<code>${piece.slice(1, -1)}</code>` : unlinked(piece)))}`;
}

const unlinked = (text) => text.replace(/\[([^\]\n]{1,200})\]\([^)\s]{1,300}\)/g, "$1").replace(/\*\*([^*\n]{1,200})\*\*/g, "$1");

export function CopyButton({ text, what }) {
  const [done, tell] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    tell(true);
    setTimeout(() => tell(false), 2000);
  };
  return html`<button type="button" class="quiet" onClick=${copy}>${done ? "Copied" : `Copy ${what}`}</button>`;
}

// The address of an app. Only what a browser opens as a page becomes a link.
export function Address({ url, name }) {
  if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol)) return html`<span class=${name}>${url}</span>`;
  return html`<a class=${name} href=${url} target="_blank" rel="noreferrer noopener">${url}</a>`;
}

// An app by its "stage/name"; what is none is only named.
export function AppLink({ app }) {
  const [stage, name] = app.split("/");
  return name ? html`<a class="name" href=${linkTo.app({ stage, name })}>${app}</a>` : html`<span class="name">${app}</span>`;
}
