// The configuration of an app: variables that it gets in its stage. Secrets are never shown.
import { appPath, post } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLoaded } from "../lib/loaded.js";
import { expectDrop } from "../lib/pending.js";
import { linkTo } from "../lib/router.js";
import { html, useRef, useState } from "../lib/ui.js";
import { Empty, Part, Problem, Time } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";

export function Configuration({ app, live }) {
  const loaded = useLoaded(`${appPath(app)}/configuration`);
  const [unset, ask] = useState(null);
  const [changed, tell] = useState(null);
  const change = async (body, what) => {
    const { drop } = await post(`${appPath(app)}/configuration`, body);
    expectDrop(drop);
    tell({ text: `${what}. ${drop ? "What is live restarts with it." : "It counts from the next drop."}`, drop });
    loaded.reload();
  };
  return html`
    <p class="note">Variables that ${app.name} gets in stage ${app.stage}, over those of its zip.${live ? " A change restarts what is live." : ""}</p>
    ${changed && html`<p class="done" role="status">${changed.text}${changed.drop && html` <a href=${linkTo.app(app)}>Follow it</a>`}</p>`}
    <${Part} loaded=${loaded} name="configuration" what="the configuration">
      ${(listed) => html`
        ${listed.length === 0 ? html`<${Empty} title="Nothing is configured" />` : html`<p class="unseen">${count(listed.length, "variable")}</p>`}
        <ul class="rows">${listed.map((one) => html`<${Variable} key=${one.name} ...${one} unset=${() => ask(one.name)} />`)}</ul>
        <${Set} names=${listed.map(({ name }) => name)} change=${change} />`}
    <//>
    ${unset && html`
      <${Confirm} title=${`Remove ${unset}?`} yes="Remove" danger act=${() => change({ set: {}, unset: [unset], secret: false }, `${unset} was removed`)} close=${() => ask(null)}>
        <p>${app.name} then gets what its zip says for <code>${unset}</code>, if it says anything.</p>
      <//>`}`;
}

function Variable({ name, value, secret, modified, unset }) {
  return html`
    <li class="row variable">
      <div class="row-main"><code class="name">${name}</code>
        ${secret ? html`<span class="secret" title="A secret is never shown">•••••••• <span class="note">secret</span></span>` : html`<code class="value">${value}</code>`}</div>
      <div class="row-facts">${modified && html`changed <${Time} at=${modified} />`}</div>
      <div class="row-actions"><button type="button" onClick=${unset} aria-label=${`Remove ${name}`}>Remove…</button></div>
    </li>`;
}

function Set({ names, change }) {
  const form = useRef(null);
  const [secret, hide] = useState(false);
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const told = new FormData(event.target);
    const name = told.get("variable").trim();
    fail(null);
    work(true);
    try {
      await change({ set: { [name]: told.get("value") }, unset: [], secret }, `${name} was ${names.includes(name) ? "changed" : "set"}`);
      form.current.reset();
      hide(false);
    } catch (failure) {
      fail(failure);
    }
    work(false);
  };
  return html`
    <form class="card fields" ref=${form} onSubmit=${submit} autocomplete="off">
      <h2>Set a variable</h2>
      <label>Name <input name="variable" required maxlength="128" list="variables" spellcheck=${false} autocapitalize="off" autocomplete="off" /></label>
      <datalist id="variables">${names.map((name) => html`<option value=${name} />`)}</datalist>
      <label>Value <input name="value" required type=${secret ? "password" : "text"} spellcheck=${false} autocomplete="new-password" /></label>
      <label class="check"><input type="checkbox" checked=${secret} onChange=${(event) => hide(event.target.checked)} /> Secret: encrypted, and never shown again</label>
      ${error && html`<${Problem} error=${error} />`}
      <div class="actions"><button class="primary" disabled=${busy}>${busy ? "Setting…" : "Set"}</button></div>
    </form>`;
}
