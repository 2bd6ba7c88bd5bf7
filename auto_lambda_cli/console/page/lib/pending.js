// Drops of this page that no worker has received yet: until then the bucket tells only of the one before.
import { makeStore, useStore } from "./store.js";

const drops = makeStore({});

const keyOf = ({ stage, name }) => `${stage}/${name}`;

export function expectDrop(drop) {
  if (drop) drops.set({ ...drops.get(), [keyOf(drop.app)]: { release: drop.release, at: Date.now() } });
}

// The state of an app with its drop as waiting. `offset`: of the server's clock.
export function usePending(app, state, receipt, offset) {
  const drop = useStore(drops)[keyOf(app)];
  if (!state || !drop || state.under_way || receipt?.release === drop.release) return state;
  if (receipt?.updated && Date.parse(receipt.updated) > drop.at + offset) return state; // it tells of what came after
  const queued = { status: "queued", step: null, release: drop.release, since: null, by: null, worker: null, reason: null };
  return { ...state, under_way: queued };
}
