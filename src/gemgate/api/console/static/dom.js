// Elements, made without HTML in strings: whatever a server says is text.

/**
 * element("td", { class: "number", title: "tokens" }, 12): functions are listeners, false and null are left out.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** As `element`, for a part of a drawing. */
export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

function setAttributes(made, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
}

/** A table in a box of its own that scrolls. `columns` are [title, value of a row, whether it is a number]. */
export function table(caption, columns, rows, empty = "Nothing yet.") {
  if (!rows.length) return element("p", { class: "soft" }, empty);
  const kind = (isNumber) => (isNumber ? { class: "number" } : {});
  return element("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    element("table", {},
      element("thead", {}, element("tr", {}, columns.map(([title, , number]) =>
        element("th", { scope: "col", ...kind(number) }, title)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, columns.map(([, value, number]) =>
        element("td", kind(number), value(row) ?? "")))))));
}

export const card = (title, ...children) => element("section", { class: "card" }, element("h2", {}, title), ...children);

const LONGEST = 600;
const BASE64 = new Set(["data", "bytesBase64Encoded", "b64_json"]);

/** A JSON value as text, in which long base64 is cut. */
export function written(value, indent) {
  return JSON.stringify(value, (name, each) => (BASE64.has(name) && typeof each === "string" && each.length > LONGEST
    ? `${each.slice(0, 60)}… (${whole(each.length)} letters)` : each), indent);
}

export const whole = (number) => (number ?? 0).toLocaleString("en");

export function dollars(number) {
  if (number === null || number === undefined) return "";
  return `$${number >= 0.01 || number === 0 ? number.toFixed(2) : number.toPrecision(2)}`;
}

export function bytes(number) {
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (number >= 1024 && step < names.length - 1) [number, step] = [number / 1024, step + 1];
  return `${step ? number.toFixed(1) : number} ${names[step]}`;
}

export function seconds(number) {
  if (number < 120) return `${Math.ceil(number)} s`;
  return number < 7200 ? `${Math.round(number / 60)} min` : `${(number / 3600).toFixed(1)} h`;
}

export const clock = (unix) => new Date(unix * 1000).toLocaleTimeString("en-GB");
