// A value that several parts of the page show.
import { useEffect, useState } from "./ui.js";

export function makeStore(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (next === value) return;
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore(store) {
  const [value, show] = useState(store.get());
  useEffect(() => {
    show(store.get());
    return store.listen((next) => show(next));
  }, [store]);
  return value;
}
