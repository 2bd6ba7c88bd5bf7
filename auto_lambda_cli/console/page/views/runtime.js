// What the functions of an app log, as it comes.
import { appPath } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useStream } from "../lib/loaded.js";
import { html, useCallback, useRef, useState } from "../lib/ui.js";
import { Problem, Time } from "../parts/basics.js";
import { Log } from "../parts/log.js";

const SINCE = [["10m", "10 minutes"], ["1h", "1 hour"], ["6h", "6 hours"], ["1d", "1 day"]];

const clock = (at) => {
  const time = new Date(at);
  return `${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
};

export function RuntimeLog({ app }) {
  const [query, choose] = useState({ since: "10m", filter: "", function: "" });
  const [functions, know] = useState([]);
  const path = `${appPath(app)}/runtime?${new URLSearchParams(Object.entries(query).filter(([, value]) => value))}`;
  const learn = useCallback((names) => know((known) => [...new Set([...known, ...names])].sort()), []);
  return html`
    <${Query} query=${query} choose=${choose} functions=${functions} />
    <${Following} key=${path} path=${path} many=${functions.length > 1} learn=${learn} />`;
}

function Query({ query, choose, functions }) {
  const change = (part) => (event) => choose({ ...query, [part]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    choose({ ...query, filter: new FormData(event.target).get("filter").trim() });
  };
  return html`
    <form class="tools" onSubmit=${submit}>
      <label>Since
        <select value=${query.since} onChange=${change("since")}>
          ${SINCE.map(([value, label]) => html`<option value=${value}>${label}</option>`)}
        </select>
      </label>
      ${functions.length > 1 && html`
        <label>Function
          <select value=${query.function} onChange=${change("function")}>
            <option value="">all</option>${functions.map((name) => html`<option value=${name}>${name}</option>`)}
          </select>
        </label>`}
      <label>Filter <input name="filter" type="search" placeholder="ERROR" autocomplete="off" spellcheck=${false} /></label>
      <button>Filter</button>
    </form>`;
}

function Following({ path, many, learn }) {
  const view = useRef(null);
  const early = useRef([]); // lines that came before there was a place for them
  const [looked, look] = useState(null);
  const [seen, see] = useState(0);
  const attach = useCallback((given) => {
    view.current = given;
    if (given) for (const text of early.current.splice(0)) given.append(text);
  }, []);
  const { problem, lost } = useStream(path, {
    lines: ({ events, dropped }) => {
      const lines = events.map(({ at, function: name, message }) => `${clock(at)}  ${many ? `${name}  ` : ""}${message}\n`);
      const text = (dropped ? `… ${count(dropped, "line")} left out …\n` : "") + lines.join("");
      if (view.current) view.current.append(text);
      else early.current.push(text);
      see((number) => number + events.length);
    },
    looked: (told) => {
      look(told);
      learn(told.functions);
    },
  });
  const waiting = looked ? "No line yet. What the app logs appears here." : "Looking…";
  return html`
    ${problem && html`<${Problem} error=${problem} what=${problem.code === "bad-pattern" ? "" : "the log"} />`}
    ${lost && html`<p class="note" role="status">The connection was lost; trying again.</p>`}
    <${Log} label="Log of the functions" attach=${attach} empty=${seen === 0 ? waiting : undefined} />
    <p class="note">${looked ? html`${count(seen, "line")}; looked <${Time} at=${looked.at} />` : "Looking…"}</p>`;
}
