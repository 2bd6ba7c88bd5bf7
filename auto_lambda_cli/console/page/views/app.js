// One app: what is live, and its parts.
import { appPath } from "../lib/api.js";
import { announce } from "../lib/announce.js";
import { person, short } from "../lib/format.js";
import { useStream } from "../lib/loaded.js";
import { usePending } from "../lib/pending.js";
import { linkTo, TABS } from "../lib/router.js";
import { html, useCallback, useEffect, useRef, useState } from "../lib/ui.js";
import { Address, Loading, Problem, Time } from "../parts/basics.js";
import { Configuration } from "./configuration.js";
import { Deployment, headline } from "./deployment.js";
import { DropZone } from "./drop.js";
import { Releases } from "./releases.js";
import { RuntimeLog } from "./runtime.js";

const LABELS = { deployment: "Deployment", log: "Log", releases: "Releases", configuration: "Configuration" };

export function AppPage({ app, tab, about }) {
  const path = appPath(app);
  const [seen, show] = useState(null); // {at, offset, parts}
  const [dropping, drop] = useState(false);
  const log = useBuildLog();
  const { problem, lost } = useStream(`${path}/events`, {
    app: (data) => show({ ...data, offset: Date.parse(data.at) - Date.now() }),
    log: log.receive,
  });
  const receipt = seen?.parts.receipt?.value ?? null;
  const state = usePending(app, seen?.parts.state.value ?? null, receipt, seen?.offset ?? 0);
  useSpoken(app, state, receipt);
  const failed = seen?.parts.state.error ?? (seen ? null : problem);

  return html`
    <div class="app-head">
      <div>
        <p class="crumbs"><a href=${linkTo.apps}>Apps</a> / ${app.stage}</p>
        <h1 tabindex="-1">${app.name}</h1>
      </div>
      <button type="button" aria-expanded=${dropping} onClick=${() => drop(!dropping)}>Drop a new version</button>
    </div>
    ${lost && html`<p class="note" role="status">The connection was lost; trying again.</p>`}
    ${dropping && html`<${DropZone} about=${about} app=${app} onDropped=${() => drop(false)} />`}
    ${!dropping && html`<${HiddenDrop} open=${() => drop(true)} />`}
    ${failed && html`<${Problem} error=${failed} what=${failed.code === "no-such-app" ? "" : "the app"} />`}
    ${problem && seen && html`<${Problem} error=${problem} what="what happens now" />`}
    ${!seen && !failed && html`<${Loading} what=${app.name} />`}
    ${state && html`<${Live} app=${app} live=${state.live} unknown=${state.unknown} />`}
    ${seen && failed?.code !== "no-such-app" && html`
      <${Tabs} app=${app} tab=${tab} />
      <div class="tab">
        ${tab === "deployment" && html`<${Deployment} app=${app} state=${state} seen=${seen} log=${log} />`}
        ${tab === "log" && html`<${RuntimeLog} app=${app} live=${state?.live} />`}
        ${tab === "releases" && html`<${Releases} app=${app} about=${about} live=${state?.live} done=${state?.live?.release} />`}
        ${tab === "configuration" && html`<${Configuration} app=${app} live=${state?.live} />`}
      </div>`}`;
}

// Files that are dragged onto the page open the place to drop them; the keys for it work here, too.
function HiddenDrop({ open }) {
  useEffect(() => {
    const entered = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files") && open();
    addEventListener("dragenter", entered);
    return () => removeEventListener("dragenter", entered);
  }, []);
  return html`<button type="button" hidden data-key="zip" onClick=${open}></button><button type="button" hidden data-key="folder" onClick=${open}></button>`;
}

function Tabs({ app, tab }) {
  return html`
    <nav class="tabs" aria-label=${`Parts of ${app.name}`}>
      ${TABS.map((one, index) => html`
        <a href=${linkTo.app(app, one)} data-key=${`tab-${index + 1}`} aria-current=${one === tab ? "page" : undefined}>${LABELS[one]}</a>`)}
    </nav>`;
}

function Live({ live, unknown }) {
  const missing = unknown.map(({ part, reason }) => html`<p class="note">${part}: ${reason}</p>`);
  if (!live) return html`<div class="live none"><p><strong>Nothing is live.</strong></p>${missing}</div>`;
  const what = [live.framework, live.python && `Python ${live.python}`].filter(Boolean).join(", ");
  return html`
    <div class="live">
      <p>
        <span class="status good">Live</span>
        ${live.release && html` release <code title=${live.release}>${short(live.release)}</code>`}
        ${live.since && html`, went live <${Time} at=${live.since} />`}
        ${live.by && html`, dropped by <span title=${live.by}>${person(live.by)}</span>`}
        ${what && ` · ${what}`}
      </p>
      ${live.url && html`<p><${Address} url=${live.url} name="url" /></p>`}
      ${missing}
    </div>`;
}

// The build log, kept while other parts of the app are looked at.
function useBuildLog() {
  const kept = useRef({ text: "", cut: 0, view: null, empty: true });
  const [empty, tell] = useState(true);
  const receive = useCallback(({ text, reset, cut }) => {
    const log = kept.current;
    if (reset) Object.assign(log, { text: "", cut });
    log.text += text;
    if (log.text.length > 1200000) {
      const over = log.text.length - 1000000;
      Object.assign(log, { text: log.text.slice(over), cut: log.cut + over });
    }
    if (reset) log.view?.clear(cut);
    log.view?.append(text);
    tell(log.text === "");
  }, []);
  const attach = useCallback((view) => {
    const log = kept.current;
    log.view = view;
    view?.clear(log.cut);
    view?.append(log.text);
  }, []);
  return { receive, attach, empty };
}

// Steps and endings are said aloud once, as they come.
function useSpoken(app, state, receipt) {
  const before = useRef(null);
  const now = state && headline(state, receipt).spoken;
  useEffect(() => {
    if (now && before.current !== null && before.current !== now) announce(`${app.name}: ${now}`);
    if (now) before.current = now;
  }, [now]);
}
