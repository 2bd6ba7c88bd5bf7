// Where in the page one is: the part of the address after #, so that a link, a reload and the back button work.
import { useEffect, useState } from "./ui.js";

const segments = (hash) => {
  try {
    return hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return []; // a broken % sequence
  }
};

export const TABS = ["deployment", "log", "releases", "configuration"];

export function parse(hash) {
  const [page, stage, name, tab] = segments(hash);
  if (page === undefined) return { page: "apps" };
  if (page === "fleet") return { page: "fleet" };
  if (page === "apps" && stage && name) {
    return { page: "app", app: { stage, name }, tab: TABS.includes(tab) ? tab : TABS[0] };
  }
  return { page: page === "apps" ? "apps" : "unknown" };
}

export const linkTo = {
  apps: "#/",
  fleet: "#/fleet",
  app: ({ stage, name }, tab = TABS[0]) => {
    const path = `#/apps/${encodeURIComponent(stage)}/${encodeURIComponent(name)}`;
    return tab === TABS[0] ? path : `${path}/${tab}`;
  },
};

export function go(hash) {
  location.hash = hash;
}

export function useRoute() {
  const [route, follow] = useState(parse(location.hash));
  useEffect(() => {
    const changed = () => follow(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
