// What the reference says of an error, beside the error.
import { useLoaded } from "../lib/loaded.js";
import { html, useState } from "../lib/ui.js";
import { Loading, Problem, Prose } from "./basics.js";
import { Dialog } from "./dialog.js";

export function HelpButton({ code, help, brief = false }) {
  const [open, show] = useState(false);
  if (!help) return html`<code>${code}</code>`;
  return html`
    <button type="button" class="link" aria-label=${`What ${code} means`} onClick=${() => show(true)}>${brief ? html`<code>${code}</code>` : html`What <code>${code}</code> means`}</button>
    ${open && html`<${Help} code=${code} help=${help} close=${() => show(false)} />`}`;
}

function Help({ code, help, close }) {
  const loaded = useLoaded(help);
  return html`
    <${Dialog} title=${code} close=${close} wide>
      ${loaded.loading && html`<${Loading} what="the reference" />`}
      ${loaded.error && html`<${Problem} error=${loaded.error} what="the reference" again=${loaded.reload} />`}
      ${loaded.data && html`<div class="prose">${blocks(unstressed(loaded.data.text)).map(block)}</div>`}
    <//>`;
}

// The reference stresses words with asterisks; those in code stay.
const unstressed = (text) =>
  text.replace(/`[^`\n]+`|\*{1,2}(?=[^\s*])((?:[^*`]|`[^`\n]+`){1,300})\*{1,2}/g, (whole, stressed) => stressed ?? whole);

// Paragraphs, lists and code of the reference's Markdown, as text.
function blocks(text) {
  const found = [[]];
  let fenced = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    if (line.trim() === "" && !fenced) found.push([]);
    else found[found.length - 1].push(line);
  }
  return found.map((lines) => lines.join("\n")).filter(Boolean);
}

function block(text) {
  if (text.startsWith("```")) return html`<pre>${text.replace(/^```.*\n?/, "").replace(/\n?```$/, "")}</pre>`;
  if (text.startsWith("- ")) {
    return html`<ul>${text.slice(2).split(/\n- /).map((item) => html`<li><${Prose} text=${item} /></li>`)}</ul>`;
  }
  return html`<p><${Prose} text=${text.replace(/^#+ /, "")} /></p>`;
}
