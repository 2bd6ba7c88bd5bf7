// Keys that do something anywhere on the page. They can be turned off: speech input types letters.
import { go, linkTo } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Dialog } from "./dialog.js";

const OFF = "auto-lambda.no-shortcuts";

const KEYS = [
  ["d", "choose a zip to deploy"],
  ["f", "choose a folder to deploy"],
  ["/", "search the apps"],
  ["g then a", "go to the apps"],
  ["g then f", "go to the fleet"],
  ["1 … 4", "parts of an app: deployment, log, releases, configuration"],
  ["?", "show these keys"],
  ["Escape", "close what is open"],
];

const click = (selector) => document.querySelector(selector)?.click();

const ACTIONS = {
  d: () => click("[data-key=zip]"),
  f: () => click("[data-key=folder]"),
  "/": () => document.querySelector("[data-key=search]")?.focus(),
  ga: () => go(linkTo.apps),
  gf: () => go(linkTo.fleet),
  1: () => click("[data-key=tab-1]"),
  2: () => click("[data-key=tab-2]"),
  3: () => click("[data-key=tab-3]"),
  4: () => click("[data-key=tab-4]"),
};

const read = () => {
  try {
    return localStorage.getItem(OFF) !== null;
  } catch {
    return false; // no storage in this browser
  }
};

const typing = (element) => element.closest("input, textarea, select, [contenteditable], dialog");

export function useShortcuts(showHelp) {
  useEffect(() => {
    let before = "";
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
      if (event.key === "?") showHelp();
      else if (read()) return;
      const keys = before + event.key;
      before = event.key === "g" ? "g" : "";
      const act = ACTIONS[keys];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

export function Shortcuts({ close }) {
  const [on, turn] = useState(!read());
  const change = (event) => {
    turn(event.target.checked);
    if (event.target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  };
  return html`
    <${Dialog} title="Keyboard" close=${close}>
      <dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
      <label class="check"><input type="checkbox" checked=${on} onChange=${change} /> Single keys do this</label>
    <//>`;
}
