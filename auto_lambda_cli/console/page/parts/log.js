// A log that grows while one reads, and that follows its end until one scrolls up.
import { count } from "../lib/format.js";
import { LogView } from "../lib/logview.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";

// `attach` gets the LogView once there is one. `tools` stands beside the title.
export function Log({ label, attach, empty, whole, tools }) {
  const box = useRef(null);
  const view = useRef(null);
  const [following, follow] = useState(true);
  const [cut, tell] = useState(0);
  useEffect(() => {
    view.current = new LogView(box.current, { onFollow: follow, onCut: tell });
    attach(view.current);
    return () => {
      attach(null);
      view.current.end();
    };
  }, []);
  return html`
    <div class="log">
      ${tools}
      ${cut > 0 && html`<p class="note">${count(cut, "character")} before this ${cut === 1 ? "is" : "are"} not shown. ${whole && html`<a href=${whole} download>Download the whole log</a>`}</p>`}
      <div class="log-box" ref=${box} tabindex="0" role="region" aria-label=${label} data-empty=${empty}></div>
      ${!following && html`<button type="button" class="log-end" onClick=${() => view.current.follow()}>↓ Follow the end</button>`}
    </div>`;
}
