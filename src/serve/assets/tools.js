// What the parts of the page share: words for numbers, and small tools for the document.

export const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// ---- words and numbers

const whole = new Intl.NumberFormat("en-US");
export const count = (n) => whole.format(n);

/** Three digits and a unit: 1.62 GB, 812 ns. */
function scaled(value, units, step = 1000) {
  let at = 0;
  while (value >= step * 0.9995 && at < units.length - 1) { value /= step; at += 1; }
  const digits = at === 0 && Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[at]}`;
}
export const bytes = (n) => scaled(n, ["B", "kB", "MB", "GB", "TB", "PB"]);
export const many = (n) => scaled(n, ["", "k", "M", "G"]).trim();
export const nanos = (n) => (n < 1e9 ? scaled(n, ["ns", "µs", "ms"]) : span(n / 1e9));
export const percent = (share) => {
  const value = share * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${value.toFixed(value === 0 || value === 100 ? 0 : value < 10 ? 2 : 1)} %`;
};
export function span(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

// ---- small tools for the document

export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
export function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
/** Writes only what has changed, so that a selection survives. */
export function say(element, text, title) {
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}
export const sayId = (id, text, title) => say(byId(id), text, title);
export function bar(share) {
  const fill = make("i");
  fill.style.width = `${Math.max(share * 100, share > 0 ? 1.5 : 0)}%`;
  return make("span", "share", fill);
}

// ---- questions

/** Asks the server, with the token of this session where there is one. */
export function ask(path) {
  const token = sessionStorage.getItem("logweir-token");
  return fetch(path, { headers: token ? { authorization: `Bearer ${token}` } : {}, cache: "no-store" });
}
