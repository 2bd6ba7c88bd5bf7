// A question or a page above the page: the browser's own dialog, which keeps the focus and gives it back.
import { html, useEffect, useId, useRef, useState } from "../lib/ui.js";
import { Problem } from "./basics.js";

export function Dialog({ title, close, children, wide = false }) {
  const dialog = useRef(null);
  const label = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  const outside = (event) => event.target === dialog.current && close();
  return html`
    <dialog ref=${dialog} class=${wide ? "wide" : ""} aria-labelledby=${label} onClose=${close} onClick=${outside}>
      <div class="dialog">
        <header>
          <h2 id=${label}>${title}</h2>
          <button type="button" class="quiet icon" aria-label="Close" onClick=${close}>✕</button>
        </header>
        ${children}
      </div>
    </dialog>`;
}

// `act` does it and may fail; the dialog says so and stays.
export function Confirm({ title, yes, act, close, danger = false, children }) {
  const [error, tell] = useState(null);
  const [busy, work] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    work(true);
    tell(null);
    try {
      await act(new FormData(event.target));
      close();
    } catch (failure) {
      tell(failure);
      work(false);
    }
  };
  return html`
    <${Dialog} title=${title} close=${close}>
      <form onSubmit=${submit}>
        ${children}
        ${error && html`<${Problem} error=${error} />`}
        <div class="actions">
          <button type="button" onClick=${close}>Cancel</button>
          <button class=${danger ? "primary danger" : "primary"} disabled=${busy} autofocus>${busy ? "Working…" : yes}</button>
        </div>
      </form>
    <//>`;
}
