// Hooks that bring data into a part of the page, once, again and again, or as a stream of events.
import { failureOf, get, isLogin, login, note, noteParts, offline } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./ui.js";

const RETRY_MS = [1000, 2000, 5000, 10000];
const HIDDEN_MS = 30000; // a tab that nobody sees gives back its connection after this

// {data, error, loading, reload}. `every` is in seconds, or a function of what was loaded; 0 loads once.
export function useLoaded(path, every = 0) {
  const [seen, show] = useState({ path, data: null, error: null });
  const [round, again] = useState(0);
  useEffect(() => {
    if (path === null) return undefined;
    const control = new AbortController();
    let timer = 0;
    const wait = (data) => {
      const seconds = typeof every === "function" ? every(data) : every;
      if (seconds && !control.signal.aborted) timer = setTimeout(load, seconds * 1000);
    };
    async function load() {
      if (document.hidden && every) return wait(null);
      let data = null;
      try {
        data = await get(path, control.signal);
        if (data.parts) noteParts(data.parts);
        show({ path, data, error: null });
      } catch (error) {
        if (error.name === "AbortError") return undefined;
        show((before) => ({ path, data: before.path === path ? before.data : null, error }));
      }
      return wait(data);
    }
    load();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [path, round]);
  const refused = isLogin(seen.error) || Object.values(seen.data?.parts ?? {}).some(({ error }) => isLogin(error));
  useEffect(() => {
    if (!refused) return undefined;
    return login.listen((now) => now === null && again((number) => number + 1)); // somebody has logged in
  }, [refused]);
  const reload = useCallback(() => again((number) => number + 1), []);
  const own = seen.path === path ? seen : { data: null, error: null };
  return { data: own.data, error: own.error, loading: !own.data && !own.error, reload };
}

// Listen to server-sent events: `handlers` by name, each gets the data. Returns {problem, lost}.
export function useStream(path, handlers) {
  const current = useRef(handlers);
  current.current = handlers;
  const [problem, tell] = useState(null);
  const [lost, lose] = useState(false);
  useEffect(() => {
    tell(null);
    lose(false);
    if (path === null) return undefined;
    const stream = openStream(path, current, { tell, lose });
    return () => stream.close();
  }, [path]);
  return { problem, lost };
}

function openStream(path, handlers, { tell, lose }) {
  let source = null;
  let timer = 0;
  let tries = 0;
  let closed = false;

  const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data || "null")));

  function connect() {
    source = new EventSource(path);
    source.onopen = () => {
      tries = 0;
      lose(false);
      offline.set(false);
    };
    source.onerror = retry;
    on("problem", ({ error }) => {
      note(error);
      tell(error);
    });
    on("fine", () => {
      login.set(null);
      tell(null);
    });
    on("end", finish);
    for (const name of Object.keys(handlers.current)) {
      on(name, (data) => {
        if (data?.parts) noteParts(data.parts);
        handlers.current[name](data);
      });
    }
  }

  // Not EventSource's own way to try again: it gives up after an answer that is no stream, and does not say what it was.
  async function retry() {
    source.close();
    const failure = await refusal(path);
    if (closed) return;
    if (failure && !failure.retry && !isLogin(failure)) {
      tell(failure);
      return;
    }
    if (tries > 0) lose(true); // one is often only a moment
    clearTimeout(timer);
    timer = setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  }

  function finish() {
    closed = true;
    source.close();
  }

  function seen() {
    clearTimeout(timer);
    if (closed) return;
    if (document.hidden) timer = setTimeout(() => source.close(), HIDDEN_MS);
    else if (source.readyState === EventSource.CLOSED) connect();
  }

  connect();
  document.addEventListener("visibilitychange", seen);
  return {
    close() {
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(timer);
      finish();
    },
  };
}

// Why the server sends no stream; null if it does, or does not answer at all.
async function refusal(path) {
  const control = new AbortController();
  try {
    const response = await fetch(path, { signal: control.signal, cache: "no-store" });
    offline.set(false);
    if (response.ok) return null;
    const failure = await failureOf(response);
    note(failure);
    return failure;
  } catch {
    offline.set(true);
    return null;
  } finally {
    control.abort();
  }
}

// Seconds now, by a clock that ticks while `running`.
export function useNow(running = true, every = 1000) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    if (!running) return undefined;
    tick(Date.now());
    const timer = setInterval(() => tick(Date.now()), every);
    return () => clearInterval(timer);
  }, [running, every]);
  return now;
}
