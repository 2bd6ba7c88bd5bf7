// Sending an app, with the progress that the browser reports; fetch has none for what it sends.
import { Failure, note, offline } from "./api.js";
import { body } from "./files.js";

const KINDS = {
  zip: { path: "api/drop", type: "application/zip" },
  folder: { path: "api/drop/folder", type: "application/x-auto-lambda-files" },
};

const NOT_TAKEN = {
  code: "not-taken",
  message: "The upload was not taken: the connection was closed.",
  hint: "If a file was changed or deleted meanwhile, choose the app again. Otherwise the console's server may have ended.",
  retry: true,
};

// Returns {done, cancel}: `done` becomes the drop, or fails with a Failure; a cancelled one becomes null.
export function upload(chosen, { stage, name }, progress) {
  const { path, type } = KINDS[chosen.kind];
  const request = new XMLHttpRequest();
  const done = new Promise((succeed, fail) => {
    const failed = (told) => {
      const failure = new Failure(told);
      note(failure);
      fail(failure);
    };
    request.upload.onprogress = ({ loaded, total }) => progress(loaded, total);
    request.onload = () => {
      const told = parsed(request.responseText);
      if (request.status === 201 && told?.drop) succeed(told.drop);
      else failed(told?.error ?? { code: "internal", message: `The console's server answered ${request.status}.` });
    };
    request.onerror = () => failed(parsed(request.responseText)?.error ?? NOT_TAKEN);
    request.onabort = () => succeed(null);
  });
  const query = new URLSearchParams({ name, stage });
  request.open("POST", `${path}?${query}`);
  request.setRequestHeader("Content-Type", type);
  request.setRequestHeader("X-Auto-Lambda", "console");
  request.send(body(chosen));
  offline.set(false);
  return { done, cancel: () => request.abort() };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
