// What was dropped on the page or chosen: one zip, or the files of a folder.
import { globbed, nearestName } from "./format.js";

export class NotAnApp extends Error {}

const isZip = (file) => /\.zip$/i.test(file.name);

// Everything of a drop event has to be taken out of it before anything is awaited.
export async function fromDrop(transfer, about) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return fromFiles(files, about);
  const keep = keeper(about);
  const found = [];
  const top = entries.length === 1 ? "" : undefined;
  for (const entry of entries) await walk(entry, top ?? entry.name, keep, found);
  return folder(entries.length === 1 ? entries[0].name : "", found, keep, about);
}

// From a file picker: one zip, loose files, or a folder, whose files name it in their paths.
export function fromFiles(files, about) {
  if (files.length === 0) throw new NotAnApp("There is no file in it.");
  const [first] = files;
  if (files.length === 1 && isZip(first)) return zip(first, about);
  if (files.length === 1 && !first.webkitRelativePath) {
    throw new NotAnApp(`${first.name} is neither a zip nor a folder. Take the folder with the app in it, or a zip of it.`);
  }
  const keep = keeper(about);
  const found = [];
  for (const file of files) {
    const path = file.webkitRelativePath ? file.webkitRelativePath.split("/").slice(1).join("/") : file.name;
    if (keep.path(path)) found.push({ path, file });
  }
  return folder(first.webkitRelativePath?.split("/")[0] ?? "", found, keep, about);
}

function zip(file, { limits }) {
  if (file.size > limits.zip_bytes) {
    throw new NotAnApp(`${file.name} is too large: ${limit(file.size)} MB, and ${limit(limits.zip_bytes)} MB are taken.`);
  }
  return { kind: "zip", name: nearestName(file.name), title: file.name, size: file.size, file };
}

function folder(title, files, keep, { limits }) {
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length === 0) throw new NotAnApp("There is no file in it that an app could need.");
  if (files.length > limits.folder_files) {
    throw new NotAnApp(`${files.length.toLocaleString("en")} files are too many; ${limits.folder_files.toLocaleString("en")} are taken.`);
  }
  if (size > limits.folder_bytes) {
    throw new NotAnApp(`The files are too large: ${limit(size)} MB, and ${limit(limits.folder_bytes)} MB are taken.`);
  }
  files.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { kind: "folder", name: nearestName(title), title: title || "the files", size, files, left: keep.left };
}

const limit = (bytes) => Math.round(bytes / 1e6).toLocaleString("en");

// Tells which paths are sent, and counts those that are not.
function keeper({ folder: { skip } }) {
  const patterns = skip.map(globbed);
  const keep = {
    left: 0,
    segment: (name) => !patterns.some((pattern) => pattern.test(name)),
    path(path) {
      const kept = path.split("/").every(keep.segment);
      if (!kept) keep.left += 1;
      return kept;
    },
  };
  return keep;
}

async function walk(entry, path, keep, found) {
  if (path !== "" && !keep.segment(entry.name)) {
    keep.left += 1;
    return;
  }
  if (entry.isFile) {
    const file = await new Promise((give, fail) => entry.file(give, fail));
    found.push({ path, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) { // it gives a hundred entries at a time
    const entries = await new Promise((give, fail) => reader.readEntries(give, fail));
    if (entries.length === 0) return;
    for (const one of entries) await walk(one, path ? `${path}/${one.name}` : one.name, keep, found);
  }
}

// A header line before each file's bytes; the browser reads the files while it sends them.
export function body(chosen) {
  if (chosen.kind === "zip") return chosen.file;
  const parts = chosen.files.flatMap(({ path, file }) => [`${JSON.stringify({ path, size: file.size })}\n`, file]);
  return new Blob(parts);
}
