// The apps, stage by stage, and where to drop another.
import { firstWords, person } from "../lib/format.js";
import { useLoaded } from "../lib/loaded.js";
import { linkTo } from "../lib/router.js";
import { html, useState } from "../lib/ui.js";
import { Address, Empty, Part, Problem, Status, Time } from "../parts/basics.js";
import { DropZone } from "./drop.js";

const AT_WORK = new Set(["queued", "building", "deploying", "delayed"]);

const everyFew = (data) => {
  const stages = data?.parts.apps.value?.stages ?? [];
  return stages.some(({ apps }) => apps.some(({ status }) => AT_WORK.has(status))) ? 2 : 5;
};

export function AppsPage({ about }) {
  const loaded = useLoaded("api/apps", everyFew);
  const [wanted, search] = useState("");
  const stages = loaded.data?.parts.apps.value?.stages.map(({ stage }) => stage).filter(Boolean) ?? [];
  return html`
    <h1 tabindex="-1">Apps</h1>
    <${DropZone} about=${about} stages=${stages} />
    ${loaded.error && loaded.data && html`<${Problem} error=${loaded.error} what="what the apps do now" again=${loaded.reload} />`}
    <${Part} loaded=${loaded} name="apps" what="the apps">
      ${(apps) => html`<${Stages} ...${apps} wanted=${wanted} search=${search} />`}
    <//>`;
}

function Stages({ stages, unseen, wanted, search }) {
  const number = stages.reduce((sum, { apps }) => sum + apps.length, 0);
  if (number === 0 && unseen.length === 0) {
    return html`
      <${Empty} title="Nothing is deployed yet">
        <p>Drop a zip or the folder of a chalice or zappa app above. It is built, tested and goes live by itself.</p>
      <//>`;
  }
  const matches = ({ key, name }) => `${name} ${key}`.toLowerCase().includes(wanted.trim().toLowerCase());
  const shown = stages.map(({ stage, apps }) => ({ stage, apps: apps.filter(matches) })).filter(({ apps }) => apps.length);
  return html`
    ${number > 8 && html`
      <label class="search"><span class="unseen">Search the apps</span>
        <input type="search" placeholder="Search" data-key="search" value=${wanted} onInput=${(event) => search(event.target.value)} />
      </label>`}
    ${shown.map(({ stage, apps }) => html`<${Stage} key=${stage} stage=${stage} apps=${apps} />`)}
    ${shown.length === 0 && wanted && html`<${Empty} title=${`No app matches “${wanted}”`} />`}
    ${unseen.length > 0 && html`<p class="note">These credentials may not read ${unseen.length} more: ${unseen.slice(0, 10).join(", ")}</p>`}`;
}

function Stage({ stage, apps }) {
  const heading = `stage-${stage}`;
  return html`
    <section class="stage" aria-labelledby=${heading}>
      <h2 id=${heading}>${stage || "Not taken as an app"}</h2>
      <ul class="rows">${apps.map((row) => html`<${Row} key=${row.key} row=${row} />`)}</ul>
    </section>`;
}

function Row({ row }) {
  const title = row.app ? html`<a class="name" href=${linkTo.app(row.app)}>${row.name}</a>` : html`<span class="name">${row.key}</span>`;
  return html`
    <li class="row">
      <div class="row-main">${title} <${Status} status=${row.status} step=${row.step} /></div>
      <div class="row-facts">${facts(row)}</div>
      ${row.error && html`<p class="row-error">${firstWords(row.error.message)}</p>`}
      ${row.error?.hint && !row.app && html`<p class="row-hint">${row.error.hint}</p>`}
      ${row.url && row.live && html`<${Address} url=${row.url} name="row-url" />`}
    </li>`;
}

function facts({ live, since, by, framework, python, app }) {
  if (!live) return app ? "nothing is live" : "";
  const what = [framework, python && `Python ${python}`].filter(Boolean).join(", ");
  return html`${since ? html`went live <${Time} at=${since} />` : "live"}${by && `, dropped by ${person(by)}`}${what && ` · ${what}`}`;
}
