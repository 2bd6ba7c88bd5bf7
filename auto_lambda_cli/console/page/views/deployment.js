// What happens to the newest drop: its steps, its error, its log.
import { appPath, post } from "../lib/api.js";
import { bytes, clock, person, seconds, short } from "../lib/format.js";
import { useLoaded, useNow } from "../lib/loaded.js";
import { linkTo } from "../lib/router.js";
import { classes, html, useState } from "../lib/ui.js";
import { CopyButton, Problem, Prose, Time } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { HelpButton } from "../parts/help.js";
import { Log } from "../parts/log.js";

const DOES = {
  fetch: "Fetching the zip", unpack: "Unpacking it", inspect: "Finding out what it is", build: "Building its dependencies",
  compile: "Compiling it to a template", prove: "Proving that it starts", deploy: "Deploying it", verify: "Calling what was deployed",
};

// What is going on, in a word for the eye and a sentence for the ear.
export function headline(state, receipt) {
  const way = state.under_way;
  if (way?.status === "queued") return { tone: "busy", text: "Waiting for a worker", spoken: "waiting for a worker" };
  if (way?.status === "delayed") return { tone: "warn", text: "Delayed, not by anything in the app", spoken: "delayed" };
  if (way) return { tone: "busy", text: DOES[way.step] ?? "Starting", spoken: DOES[way.step] ?? "starting" };
  if (receipt?.status === "failed") {
    const where = receipt.step ? ` in step ${receipt.step}` : "";
    return { tone: "bad", text: `Failed${where}`, spoken: `failed${where}: ${receipt.error?.message ?? ""}` };
  }
  if (receipt?.status === "live") return { tone: "good", text: "Went live", spoken: "live" };
  if (receipt?.status === "superseded") return { tone: "calm", text: "Superseded", spoken: "superseded" };
  return { tone: "calm", text: "Nothing under way", spoken: "nothing under way" };
}

export function Deployment({ app, state, seen, log }) {
  const { value: receipt, error } = seen.parts.receipt ?? {};
  if (error) return html`<${Problem} error=${error} what="the receipt" />`;
  const waiting = state?.under_way?.status === "queued";
  return html`
    ${state && html`<${Now} state=${state} receipt=${receipt} />`}
    ${state?.under_way?.lost_after && html`<${Silence} way=${state.under_way} offset=${seen.offset} />`}
    ${receipt && html`<${Steps} receipt=${receipt} waiting=${waiting} offset=${seen.offset} />`}
    ${state?.under_way?.reason && html`<div class="problem"><p>${state.under_way.reason}</p></div>`}
    ${receipt?.error && !waiting && html`<${Failed} app=${app} error=${receipt.error} receipt=${receipt} live=${state?.live} />`}
    ${receipt?.warnings?.length > 0 && html`<${Warnings} warnings=${receipt.warnings} />`}
    <section>
      <h2>Build log</h2>
      ${waiting && !log.empty && html`<p class="note">This is the log of the drop before; the new one's follows when a worker has taken it.</p>`}
      <${Log} label="Build log" attach=${log.attach} empty=${log.empty ? "No line yet" : undefined} whole=${`${appPath(app)}/log`} />
    </section>
    ${receipt?.permissions && html`<${Permissions} permissions=${receipt.permissions} />`}
    ${receipt && html`<${Facts} receipt=${receipt} />`}`;
}

function Now({ state, receipt }) {
  const { tone, text } = headline(state, receipt);
  const way = state.under_way;
  const release = way?.release ?? (way ? null : receipt?.release);
  const by = way?.by ?? (way ? null : receipt?.by);
  return html`
    <div class="now">
      <h2 class=${classes("status", tone)}>${text}</h2>
      <p class="facts">
        ${release && html`release <code title=${release}>${short(release)}</code>`}
        ${by && html` by <span title=${by}>${person(by)}</span>`}
        ${!way && receipt?.rollback && " · a rollback"}
        ${!way && receipt?.updated && html` · <${Time} at=${receipt.updated} />`}
        ${way?.worker && ` · worker ${way.worker}`}
      </p>
    </div>`;
}

// A worker that works writes every few seconds.
function Silence({ way, offset }) {
  const now = useNow(true) + offset;
  if (now <= Date.parse(way.lost_after)) return null;
  return html`
    <p class="note" role="status">No news from worker ${way.worker} since ${clock(Date.parse(way.heard) / 1000, true)}.
      If it was lost, another one takes over soon after ${clock(Date.parse(way.held_until) / 1000, true)}.</p>`;
}

const MARKS = { done: "✓", running: "", failed: "✕", waiting: "", skipped: "–" };

function Steps({ receipt, waiting, offset }) {
  const steps = waiting ? receipt.steps.map(({ step }) => ({ step, status: "waiting", seconds: null, since: null })) : receipt.steps;
  const now = useNow(steps.some(({ status }) => status === "running")) + offset;
  return html`<ol class="steps" aria-label="Steps">${steps.map((step) => html`<${Step} key=${step.step} ...${step} now=${now} />`)}</ol>`;
}

function Step({ step, status, seconds: took, since, now }) {
  const running = status === "running" && since ? Math.max(0, (now - Date.parse(since)) / 1000) : null;
  const time = running === null ? seconds(took) : seconds(Math.floor(running) || 0).replace(".0", "");
  return html`
    <li class=${classes("step", status)} aria-current=${status === "running" ? "step" : undefined}>
      <span class="mark" aria-hidden="true">${MARKS[status]}</span>
      <span class="step-name">${step}</span>
      <span class="unseen">${status}</span>
      <span class="step-time">${time}</span>
    </li>`;
}

function Failed({ app, error, receipt, live }) {
  return html`
    <section class="failure" aria-labelledby="failure">
      <h2 id="failure" class="unseen">Why it failed</h2>
      <${Message} text=${error.message} />
      ${error.hint && html`<div class="failure-hint"><strong>What to do</strong><p><${Prose} text=${error.hint} /></p></div>`}
      ${receipt.function_log?.length > 0 && html`
        <details open><summary>What the function logged</summary><pre class="code">${receipt.function_log.join("\n")}</pre></details>`}
      ${error.code === "needs-approval" && html`<${Approval} app=${app} />`}
      <div class="failure-foot">
        <${HelpButton} code=${error.code} help=${error.help} />
        ${error.hint && html`<${CopyButton} text=${error.hint} what="what to do" />`}
      </div>
      ${live && receipt.status === "failed" && html`
        <p class="note">Users still get release <code>${short(live.release)}</code>: a drop that fails changes nothing.
          ${" "}<a href=${linkTo.app(app, "releases")}>Releases</a></p>`}
    </section>`;
}

// The first line says it; what follows is a traceback or a list.
function Message({ text }) {
  const [first, ...rest] = text.split("\n");
  return html`
    <p class="failure-message"><${Prose} text=${first} /></p>
    ${rest.length > 0 && html`<pre class="code">${rest.join("\n")}</pre>`}`;
}

function Approval({ app }) {
  const loaded = useLoaded(`${appPath(app)}/approval`);
  const [asking, ask] = useState(false);
  const [done, approved] = useState(false);
  if (done) return html`<p class="done" role="status">Approved. A worker deploys it now.</p>`;
  if (loaded.loading) return null;
  const part = loaded.data?.parts.approval;
  const error = loaded.error ?? part?.error;
  if (error) return html`<${Problem} error=${error} what="what to approve" again=${loaded.reload} />`;
  if (!part.value) return html`<p class="note">Nothing waits for approval any more.</p>`;
  const { changes, digest, release } = part.value;
  const approve = async () => {
    await post(`${appPath(app)}/approve`, { digest });
    approved(true);
  };
  return html`
    <div class="approval">
      <h3>What it may do more, and less</h3>
      <${Changes} lines=${changes} />
      <button type="button" class="primary" onClick=${() => ask(true)}>Approve…</button>
      ${asking && html`
        <${Confirm} title=${`Approve these rights of ${app.name}?`} yes="Approve" act=${approve} close=${() => ask(false)}>
          <p>Release <code>${short(release)}</code> is deployed with them.</p><${Changes} lines=${changes} />
        <//>`}
    </div>`;
}

const Changes = ({ lines }) => html`
  <ul class="changes">${lines.map((line) => html`
    <li class=${line.startsWith("-") ? "less" : "more"}><span class="unseen">${line.startsWith("-") ? "less: " : "more: "}</span>${line}</li>`)}</ul>`;

function Permissions({ permissions }) {
  const { has, added, removed } = permissions;
  const changed = [...added.map((line) => `+ ${line}`), ...removed.map((line) => `- ${line}`)];
  return html`
    <details class="card" open=${changed.length > 0}>
      <summary>What it may do${changed.length > 0 ? `: ${changed.length} changed by this release` : ""}</summary>
      ${changed.length > 0 && html`<${Changes} lines=${changed} />`}
      <ul class="plain">${has.map((line) => html`<li>${line}</li>`)}</ul>
    </details>`;
}

const Warnings = ({ warnings }) => html`
  <section class="warnings" aria-labelledby="warnings">
    <h2 id="warnings">Warnings</h2>
    <ul>${warnings.map((warning) => html`<li><${Prose} text=${warning} /></li>`)}</ul>
  </section>`;

function Facts({ receipt }) {
  const facts = [
    ["Framework", receipt.framework], ["Python", receipt.python], ["Architecture", receipt.architecture],
    ["Size", bytes(receipt.size)], ["Function", receipt.function], ["Version", receipt.version],
    ["Commit", receipt.commit], ["Repository", receipt.repository], ["Costs", receipt.costs], ["Dropped by", receipt.by],
  ].filter(([, value]) => value);
  return html`
    <details class="card">
      <summary>Receipt</summary>
      <dl class="facts-list">${facts.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>
      ${receipt.settings && html`<h3>Settings that would deploy it: ${receipt.settings.file}</h3><pre class="code">${receipt.settings.text}</pre>`}
      <h3>As it is stored</h3>
      <pre class="code" tabindex="0">${JSON.stringify(receipt.raw, null, 2)}</pre>
    </details>`;
}
