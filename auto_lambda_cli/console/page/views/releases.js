// The releases of an app: what was live, and what can be again.
import { appPath, post } from "../lib/api.js";
import { bytes, capitalized, fieldPattern, person, short } from "../lib/format.js";
import { useLoaded } from "../lib/loaded.js";
import { expectDrop } from "../lib/pending.js";
import { go, linkTo } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Empty, Part, Time } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { HelpButton } from "../parts/help.js";

export function Releases({ app, about, live, done }) {
  const loaded = useLoaded(`${appPath(app)}/releases`);
  const [asked, ask] = useState(null); // {kind, release}
  useEffect(() => loaded.reload(), [done]); // another release went live
  return html`
    <${Part} loaded=${loaded} name="releases" what="the releases">
      ${({ listed, unknown }) => html`
        ${unknown.map(({ part, reason }) => html`<p class="note">${part}: ${reason}</p>`)}
        ${listed.length === 0 && html`<${Empty} title="No release yet" />`}
        <ul class="rows">${listed.map((release) => html`<${Release} key=${release.id} release=${release} ask=${ask} previous=${live?.previous} />`)}</ul>`}
    <//>
    ${asked?.kind === "rollback" && html`<${RollBack} app=${app} release=${asked.release} close=${() => ask(null)} />`}
    ${asked?.kind === "promote" && html`<${Promote} app=${app} about=${about} release=${asked.release} close=${() => ask(null)} />`}`;
}

const OUTCOMES = { live: "good", failed: "bad" };

function Release({ release, ask, previous }) {
  const { id, live, outcome, code, restorable } = release;
  const wasLive = outcome === "live" || release.live_since;
  return html`
    <li class="row release">
      <div class="row-main">
        <code class="name" title=${id}>${release.short}</code>
        ${live ? html`<span class="status good">Live</span>` : html`<span class="status ${OUTCOMES[outcome] === "bad" ? "bad" : "calm"}">${told(release)}</span>`}
        ${id === previous && html`<span class="note">the one before</span>`}
      </div>
      <div class="row-facts">${facts(release)}</div>
      <div class="row-actions">
        ${!live && restorable && html`<button type="button" onClick=${() => ask({ kind: "rollback", release })}>Roll back to this…</button>`}
        ${!live && wasLive && restorable === false && html`<span class="note">not stored any more</span>`}
        ${live && html`<button type="button" onClick=${() => ask({ kind: "promote", release })}>Promote…</button>`}
        ${code && html`<${HelpButton} code=${code} help=${release.help} brief />`}
      </div>
    </li>`;
}

const told = ({ outcome, live_since: since }) => (since && outcome !== "failed" ? "Was live" : capitalized(outcome ?? "not known"));

function facts({ dropped, by, rollback, framework, python, size, function_version: version }) {
  const what = [framework, python && `Python ${python}`, bytes(size), version && `version ${version}`].filter(Boolean).join(", ");
  return html`${rollback ? `the same as ${short(rollback)}, deployed` : "dropped"} <${Time} at=${dropped} />${by && ` by ${person(by)}`}${what && ` · ${what}`}`;
}

function RollBack({ app, release, close }) {
  const act = async () => {
    const { drop } = await post(`${appPath(app)}/rollback`, { to: release.id });
    expectDrop(drop);
    go(linkTo.app(app));
  };
  return html`
    <${Confirm} title=${`Roll ${app.name} back to ${release.short}?`} yes="Roll back" act=${act} close=${close}>
      <p>Users of <strong>${app.name}</strong> in stage <strong>${app.stage}</strong> get this release again, unchanged: code, packages and
        settings are stored, so nothing is built. What is live now stays in the list.</p>
    <//>`;
}

function Promote({ app, about, release, close }) {
  const act = async (form) => {
    const { drop } = await post(`${appPath(app)}/promote`, { to: form.get("stage").trim(), release: release.id });
    expectDrop(drop);
    go(linkTo.app(drop.app));
  };
  return html`
    <${Confirm} title=${`Promote ${app.name} ${release.short}`} yes="Promote" act=${act} close=${close}>
      <p>The same files and packages are deployed to another stage, with that stage's settings and configuration.</p>
      <label>Stage <input name="stage" required maxlength="40" pattern=${fieldPattern(about.name_pattern)} autocomplete="off" value=${app.stage === "prod" ? "" : "prod"} /></label>
    <//>`;
}
