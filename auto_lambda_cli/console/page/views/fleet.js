// The fleet: what waits, who works, what failed for good.
import { isLogin } from "../lib/api.js";
import { count, seconds } from "../lib/format.js";
import { useLoaded, useStream } from "../lib/loaded.js";
import { html, useState } from "../lib/ui.js";
import { AppLink, Empty, Loading, Problem, Status, Time } from "../parts/basics.js";
import { DeadLetters } from "./letters.js";
import { Plot } from "./plot.js";

export function FleetPage({ about }) {
  const [seen, show] = useState(null);
  const { problem, lost } = useStream("api/fleet/events", { fleet: show });
  return html`
    <h1 tabindex="-1">Fleet</h1>
    ${lost && html`<p class="note" role="status">The connection was lost; trying again.</p>`}
    ${problem && html`<${Problem} error=${problem} what=${seen ? "what happens now" : "the fleet"} />`}
    ${!seen && !problem && html`<${Loading} what="the fleet" />`}
    ${seen && html`<${Figures} parts=${seen.parts} local=${about.local} />`}
    <${Backlog} />
    ${seen && html`<${Running} part=${seen.parts.running} /><${Last} part=${seen.parts.last} />`}
    <${DeadLetters} part=${seen?.parts.dead_letters} />`;
}

// A local stack has no worker group unless it was asked for one, so nothing is missing there.
function Figures({ parts, local }) {
  const { queue, workers, running, dead_letters: dead } = parts;
  const busy = new Set((running.value ?? []).map(({ worker }) => worker).filter(Boolean)).size;
  return html`
    <dl class="figures">
      <${Figure} label="waiting" part=${queue} of=${({ visible }) => visible} />
      <${Figure} label="taken by workers" part=${queue} of=${({ in_flight: taken }) => taken} />
      <${Figure} label="delayed" part=${queue} of=${({ delayed }) => delayed} />
      <${Figure} label="building now" part=${running} of=${(builds) => builds.length} note=${running.value ? `${count(busy, "busy worker")}` : ""} />
      ${!(local && workers.error?.code === "unset") && html`<${Figure} label="workers" part=${workers} of=${({ in_service: serving, desired }) => (serving === desired ? serving : `${serving} of ${desired}`)} />`}
      <${Figure} label="dead letters" part=${dead} of=${(number) => number} bad=${dead.value > 0} />
    </dl>
    ${[["The queue", queue], ["The workers", workers], ["Dead letters", dead]]
      .filter(([, part]) => part.error && part.error.code !== "unset")
      .map(([what, part]) => html`<${Problem} error=${part.error} what=${what} />`)}`;
}

function Figure({ label, part, of, note = "", bad = false }) {
  const value = part.error ? "–" : of(part.value);
  const why = isLogin(part.error) ? "not shown without a login" : (part.error?.message ?? note);
  return html`<div class=${bad ? "figure bad" : "figure"} title=${why}><dt>${label}</dt><dd>${value}${part.error && html`<span class="unseen">${why}</span>`}</dd></div>`;
}

const SPANS = [[15, "15 min"], [60, "1 hour"], [360, "6 hours"], [1440, "1 day"]];

function Backlog() {
  const [minutes, span] = useState(60);
  const loaded = useLoaded(`api/fleet/series?minutes=${minutes}`, 15);
  const part = loaded.data?.parts.series;
  const error = loaded.error && !loaded.data ? loaded.error : part?.error;
  return html`
    <section class="card" aria-labelledby="backlog">
      <div class="card-head">
        <h2 id="backlog">Backlog over time</h2>
        <div class="spans" role="group" aria-label="Time">
          ${SPANS.map(([value, label]) => html`<button type="button" aria-pressed=${value === minutes} onClick=${() => span(value)}>${label}</button>`)}
        </div>
      </div>
      ${loaded.loading && html`<${Loading} what="the backlog" />`}
      ${error && html`<${Problem} error=${error} what="the backlog" again=${loaded.reload} />`}
      ${part?.value && html`<${Plot} key=${minutes} series=${part.value} />`}
    </section>`;
}

function Running({ part }) {
  return html`
    <section aria-labelledby="running">
      <h2 id="running">Running builds</h2>
      ${part.error && html`<${Problem} error=${part.error} what="what runs" />`}
      ${part.value?.length === 0 && html`<${Empty} title="No build runs" />`}
      <ul class="rows">${(part.value ?? []).map((build) => html`
        <li class="row" key=${build.app}><div class="row-main"><${AppLink} app=${build.app} /> <span class="status busy">${build.step}</span></div>
          <div class="row-facts">${seconds(build.seconds)}${build.worker && ` · ${build.worker}`}${build.silent_since && html` · no news since <${Time} at=${build.silent_since} />`}</div></li>`)}</ul>
    </section>`;
}

function Last({ part }) {
  return html`
    <section aria-labelledby="last">
      <h2 id="last">Ended last</h2>
      ${part.error && html`<${Problem} error=${part.error} what="what ended" />`}
      ${part.value?.length === 0 && html`<${Empty} title="Nothing yet" />`}
      <ul class="rows">${(part.value ?? []).map((one) => html`
        <li class="row" key=${one.app}><div class="row-main"><${AppLink} app=${one.app} /> <${Status} status=${one.status} /></div>
          <div class="row-facts"><${Time} at=${one.updated} />${one.what && ` · ${one.what}`}</div></li>`)}</ul>
    </section>`;
}
