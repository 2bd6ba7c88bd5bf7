// The page: its frame, and the view that the address names.
import { get, login, offline } from "./lib/api.js";
import { Announcer } from "./lib/announce.js";
import { linkTo, useRoute } from "./lib/router.js";
import { useStore } from "./lib/store.js";
import { html, render, useEffect, useRef, useState } from "./lib/ui.js";
import { Loading, Problem, Prose } from "./parts/basics.js";
import { Shortcuts, useShortcuts } from "./parts/shortcuts.js";
import { AppPage } from "./views/app.js";
import { AppsPage } from "./views/apps.js";
import { FleetPage } from "./views/fleet.js";

const TITLES = { apps: "Apps", fleet: "Fleet", unknown: "No such page" };

const titleOf = (route) => (route.page === "app" ? `${route.app.name} (${route.app.stage})` : TITLES[route.page]);

function Header({ route, about, showShortcuts }) {
  const here = (page) => (route.page === page || (page === "apps" && route.page === "app") ? "page" : undefined);
  return html`
    <header class="top">
      <a class="brand" href=${linkTo.apps}><img src="icon.svg" alt="" width="24" height="24" /> Auto-Lambda</a>
      <nav aria-label="Main">
        <a href=${linkTo.apps} aria-current=${here("apps")}>Apps</a>
        <a href=${linkTo.fleet} aria-current=${here("fleet")}>Fleet</a>
      </nav>
      <span class="where">${about && html`${about.local ? "local stack" : about.region} <span class="bucket">${about.bucket}</span>`}</span>
      <button type="button" class="quiet icon" onClick=${showShortcuts} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">?</button>
    </header>`;
}

function Banner() {
  const refused = useStore(login);
  const gone = useStore(offline);
  if (gone) {
    return html`
      <div class="banner" role="alert">
        <strong>The console's server does not answer.</strong> Is <code>auto-lambda console</code> (or <code>local up</code>) still
        running? It has another address each time it starts. This page goes on by itself when it answers again.
      </div>`;
  }
  if (!refused) return null;
  return html`<div class="banner" role="alert"><strong>${refused.message}</strong> ${refused.hint && html`<${Prose} text=${refused.hint} />`}</div>`;
}

function View({ route, about }) {
  if (route.page === "app") {
    return html`<${AppPage} key=${`${route.app.stage}/${route.app.name}`} app=${route.app} tab=${route.tab} about=${about} />`;
  }
  if (route.page === "fleet") return html`<${FleetPage} about=${about} />`;
  if (route.page === "apps") return html`<${AppsPage} about=${about} />`;
  return html`<h1 tabindex="-1">There is no such page</h1><p><a href=${linkTo.apps}>To the apps</a></p>`;
}

// The focus moves to the heading of a new page, as if it had been loaded: a screen reader reads it.
function useArrival(route, ready) {
  const first = useRef(true);
  const place = `${route.page} ${route.app ? `${route.app.stage}/${route.app.name}` : ""}`;
  useEffect(() => {
    document.title = `${titleOf(route)} – Auto-Lambda`;
    if (!ready) return;
    if (!first.current) {
      scrollTo(0, 0);
      document.querySelector("main h1")?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [place, ready]);
}

function Console() {
  const route = useRoute();
  const [about, learn] = useState(null);
  const [error, fail] = useState(null);
  const [help, show] = useState(false);
  const load = () => get("api/about").then((told) => { learn(told); fail(null); }, fail);
  useEffect(() => { load(); }, []);
  useShortcuts(() => show(true));
  useArrival(route, Boolean(about));
  const skip = (event) => {
    event.preventDefault();
    document.querySelector("main h1")?.focus();
  };
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${Header} route=${route} about=${about} showShortcuts=${() => show(true)} />
    <${Banner} />
    <main id="content">
      ${about && html`<${View} route=${route} about=${about} />`}
      ${error && html`<h1>Auto-Lambda</h1><${Problem} error=${error} again=${load} />`}
      ${!about && !error && html`<${Loading} what="the console" />`}
    </main>
    <${Announcer} />
    ${help && html`<${Shortcuts} close=${() => show(false)} />`}`;
}

const root = document.getElementById("console");
root.replaceChildren();
render(html`<${Console} />`, root);
