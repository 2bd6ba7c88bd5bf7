// Dead letters: what no worker could take, looked at only when asked, since looking hides them for a moment.
import { post } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLoaded } from "../lib/loaded.js";
import { html, useState } from "../lib/ui.js";
import { AppLink, Empty, Part } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";

export function DeadLetters({ part }) {
  const [open, show] = useState(false);
  const [sent, tell] = useState(null);
  const number = part?.value;
  return html`
    <section aria-labelledby="letters">
      <div class="card-head">
        <h2 id="letters">Dead letters</h2>
        ${!open && number !== 0 && html`<button type="button" onClick=${() => show(true)}>Show them</button>`}
      </div>
      ${sent && html`<p class="done" role="status">${sent}</p>`}
      ${!open && number === 0 && html`<p class="note">None.</p>`}
      ${!open && number > 0 && html`<p class="note">${count(number, "message")} that no worker could deal with.</p>`}
      ${open && html`<${Letters} tell=${tell} />`}
    </section>`;
}

function Letters({ tell }) {
  const loaded = useLoaded("api/dead-letters");
  const [asked, ask] = useState(null);
  const [gone, forget] = useState([]); // looking again takes seconds, in which they would seem to be there still
  const redrive = async () => {
    const { sent } = await post("api/dead-letters/redrive", { app: null, id: asked.id });
    forget(asked.id ? [...gone, asked.id] : loaded.data.parts.letters.value.map(({ id }) => id));
    tell(`${count(sent, "message")} sent again.`);
    loaded.reload();
  };
  return html`
    <${Part} loaded=${loaded} name="letters" what="the dead letters">
      ${(all) => {
        const letters = all.filter(({ id }) => !gone.includes(id));
        return html`
        ${letters.length === 0 && html`<${Empty} title="No dead letters" />`}
        <ul class="rows">${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} ask=${ask} />`)}</ul>
        <div class="actions">
          <button type="button" onClick=${loaded.reload}>Look again</button>
          ${letters.length > 0 && html`<button type="button" onClick=${() => ask({ id: null })}>Send all again…</button>`}
        </div>`;
      }}
    <//>
    ${asked && html`
      <${Confirm} title=${asked.id ? "Send it again?" : "Send all of them again?"} yes="Send again" act=${redrive} close=${() => ask(null)}>
        <p>A worker tries it again, with all its attempts. If what was wrong is not mended, it comes back here.</p>
      <//>`}`;
}

const Letter = ({ letter, ask }) => html`
  <li class="row">
    <div class="row-main">${letter.apps.length ? letter.apps.map((app) => html`<${AppLink} app=${app} />`) : html`<span class="name">no app</span>`} ${letter.code && html`<code>${letter.code}</code>`}</div>
    <div class="row-facts">${letter.attempts ? count(letter.attempts, "attempt") : ""}</div>
    ${letter.reason && html`<p class="row-error">${letter.reason}</p>`}
    ${letter.log?.length > 0 && html`<details><summary>Log</summary><pre class="code">${letter.log.join("\n")}</pre></details>`}
    <div class="row-actions"><button type="button" onClick=${() => ask({ id: letter.id })}>Send again…</button></div>
  </li>`;
