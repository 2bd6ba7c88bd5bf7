// Numbers, times and names as people read them.

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

export function ago(time, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(time)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return "just now";
  for (const [unit, length] of UNITS) {
    const number = Math.floor(seconds / length);
    if (number >= 1) return `${number} ${unit}${number === 1 ? "" : "s"} ago`;
  }
  return `${seconds} seconds ago`;
}

export function seconds(number) {
  if (number === null || number === undefined) return "";
  if (number < 10) return `${number.toFixed(1)} s`;
  if (number < 120) return `${Math.round(number)} s`;
  if (number < 7200) return `${Math.floor(number / 60)} min ${Math.round(number % 60)} s`;
  return `${Math.floor(number / 3600)} h ${Math.round((number % 3600) / 60)} min`;
}

export function bytes(number) {
  if (number === null || number === undefined) return "";
  if (number < 1000) return `${number} bytes`;
  if (number < 1e6) return `${(number / 1e3).toFixed(number < 1e4 ? 1 : 0)} kB`;
  return `${(number / 1e6).toFixed(number < 1e7 ? 1 : 0)} MB`;
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export const absolute = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

// A moment of today, in seconds since 1970, as a clock shows it.
export const clock = (moment, exact = false) =>
  new Date(moment * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: exact ? "2-digit" : undefined, hourCycle: "h23" });

export const short = (release) => (release && release.length > 10 ? release.slice(0, 8) : release);

export const capitalized = (word) => word.charAt(0).toUpperCase() + word.slice(1);

// "arn:aws:sts::1:assumed-role/Developer/jo from 10.0.0.1" is "jo" to people.
export const person = (by) => (by ? by.split(" from ")[0].split(/[/:]/).pop() : null);

// The first line of a message says it; if that only announces what is wrong, the next one does, of a traceback the last.
export function firstWords(message) {
  const [first = "", ...rest] = message.split("\n").map((line) => line.trim()).filter(Boolean);
  const said = rest[0]?.startsWith("Traceback ") ? rest[rest.length - 1] : rest[0];
  return first.endsWith(":") && said ? `${first} ${said}` : first;
}

// The nearest name that a zip or folder can be deployed under.
export function nearestName(text, most = 40) {
  return text
    .replace(/\.zip$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, most)
    .replace(/-+$/, "");
}

// A pattern of the server's, as browsers take it in a field: there, a hyphen at the end of a class is escaped.
export const fieldPattern = (pattern) => pattern.replace(/-\]/g, "\\-]");

// A shell pattern of one path segment (*, ?), as an expression.
export function globbed(pattern) {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
}
