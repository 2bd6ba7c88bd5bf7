// Where an app is dropped: onto the page, or chosen by a file picker; then named, sent, and followed.
import { announce } from "../lib/announce.js";
import { fromDrop, fromFiles } from "../lib/files.js";
import { bytes, count, fieldPattern, nearestName } from "../lib/format.js";
import { expectDrop } from "../lib/pending.js";
import { go, linkTo } from "../lib/router.js";
import { upload } from "../lib/upload.js";
import { classes, html, useEffect, useRef, useState } from "../lib/ui.js";
import { Problem } from "../parts/basics.js";

// `app`: a new version of this one is dropped; else its name is asked for.
export function DropZone({ about, stages = [], app = null, onDropped = () => {} }) {
  const [chosen, choose] = useState(null);
  const [problem, tell] = useState(null);
  const [over, hover] = useState(false);
  const zip = useRef(null);
  const folder = useRef(null);

  const take = async (reading) => {
    tell(null);
    try {
      choose(await reading());
    } catch (error) {
      choose(null);
      tell({ message: error.message });
      announce(error.message);
    }
  };
  useDropping(hover, (transfer) => take(() => fromDrop(transfer, about)));
  const picked = (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    if (files.length) take(async () => fromFiles(files, about));
  };

  if (chosen) {
    return html`<${Send} chosen=${chosen} about=${about} stages=${stages} app=${app} again=${() => choose(null)} onDropped=${onDropped} />`;
  }
  return html`
    <section class=${classes("drop", app && "small", over && "over")} aria-label=${app ? `Drop a new version of ${app.name}` : "Drop an app"}>
      <p class="drop-title">${app ? "Drop a new version here" : "Drop a zip or a folder here"}</p>
      <div class="drop-choices">
        <button type="button" data-key="zip" onClick=${() => zip.current.click()}>Choose a zip</button>
        <button type="button" data-key="folder" onClick=${() => folder.current.click()}>Choose a folder</button>
      </div>
      <input ref=${zip} type="file" accept=".zip,application/zip" hidden aria-hidden="true" tabindex="-1" data-picks="zip" onChange=${picked} />
      <input ref=${folder} type="file" webkitdirectory hidden aria-hidden="true" tabindex="-1" data-picks="folder" onChange=${picked} />
      ${problem && html`<${Problem} error=${problem} />`}
    </section>`;
}

// The whole page takes what is dropped; a file that misses the zone would otherwise replace the page.
function useDropping(hover, take) {
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    let inside = 0;
    const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const enter = (event) => files(event) && hover(++inside > 0);
    const leave = (event) => files(event) && hover(--inside > 0);
    const over = (event) => files(event) && event.preventDefault();
    const drop = (event) => {
      if (!files(event)) return;
      event.preventDefault();
      inside = 0;
      hover(false);
      latest.current(event.dataTransfer);
    };
    const listeners = { dragenter: enter, dragleave: leave, dragover: over, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
    };
  }, []);
}

function Send({ chosen, about, stages, app, again, onDropped }) {
  const [target, aim] = useState(app ?? { name: chosen.name, stage: about.stages_default });
  const [sending, send] = useState(null); // {loaded, total, cancel, began}
  const [error, fail] = useState(null);
  const cancel = useRef(null);
  useEffect(() => () => cancel.current?.(), []);

  const submit = async (event) => {
    event.preventDefault();
    fail(null);
    const began = performance.now();
    const progress = (loaded, total) => send({ loaded, total, began });
    progress(0, chosen.size);
    const sent = upload(chosen, target, progress);
    cancel.current = sent.cancel;
    try {
      const drop = await sent.done;
      cancel.current = null;
      send(null);
      if (!drop) return;
      announce(`${target.name} was uploaded`);
      expectDrop(drop);
      onDropped(drop);
      again();
      go(linkTo.app(drop.app));
    } catch (failure) {
      cancel.current = null;
      send(null);
      fail(failure);
    }
  };

  return html`
    <section class="drop chosen" aria-label="What will be deployed">
      <form onSubmit=${submit}>
        <p class="drop-title">${what(chosen)}</p>
        ${!app && html`<${Target} target=${target} aim=${aim} about=${about} stages=${stages} disabled=${Boolean(sending)} />`}
        ${sending && html`<${Progress} ...${sending} />`}
        ${error && html`<${Problem} error=${error} />`}
        <div class="actions">
          <button type="button" onClick=${() => (sending ? cancel.current?.() : again())}>Cancel</button>
          <button class="primary" disabled=${Boolean(sending)} ref=${(button) => !sending && focusOnce(button)}>Deploy${app ? ` to ${app.stage}` : ""}</button>
        </div>
      </form>
    </section>`;
}

const focused = new WeakSet();

function focusOnce(element) {
  if (!element || focused.has(element)) return;
  focused.add(element);
  element.focus();
}

function what({ kind, title, size, files, left }) {
  if (kind === "zip") return html`<strong>${title}</strong> ${bytes(size)}`;
  const without = left ? `, without ${count(left, "file or folder", "files and folders")} that no app needs or that may hold secrets` : "";
  return html`<strong>${title}</strong> ${count(files.length, "file")}, ${bytes(size)}${without}`;
}

// The browser shows it beside a name that cannot be taken.
function naming(text) {
  const nearest = nearestName(text);
  return `Lower-case letters, digits and hyphens, up to 40${nearest && nearest !== text ? `: for example ${nearest}` : ""}`;
}

function Target({ target, aim, about, stages, disabled }) {
  const change = (part) => (event) => aim({ ...target, [part]: event.target.value });
  const field = (part, label, list) => html`
    <label>${label}
      <input name=${part} value=${target[part]} onInput=${change(part)} pattern=${fieldPattern(about.name_pattern)} required maxlength="40" list=${list}
        title=${naming(target[part])} autocomplete="off" autocapitalize="off" spellcheck=${false} disabled=${disabled} />
    </label>`;
  const known = [...new Set([about.stages_default, ...stages])];
  return html`
    <div class="fields">
      ${field("name", "Name")} ${field("stage", "Stage", "stages")}
      <datalist id="stages">${known.map((stage) => html`<option value=${stage} />`)}</datalist>
    </div>`;
}

function Progress({ loaded, total, began }) {
  const rate = loaded / Math.max((performance.now() - began) / 1000, 0.1);
  const text = loaded >= total && total > 0 ? "Storing it…" : `${bytes(loaded)} of ${bytes(total)}, ${bytes(Math.round(rate))} per second`;
  return html`<div class="progress"><progress max=${total || 1} value=${loaded} aria-label="Upload"></progress><span>${text}</span></div>`;
}
