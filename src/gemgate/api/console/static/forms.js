// Requests that are forms: their fields are JSON in the editor, and "@name" in one of them is a file that was chosen.

const FIELDS = { "audio/transcriptions": "file", "audio/translations": "file", "images/edits": "image", "images/variations": "image" };
const FILES = new Set(["file", "image", "mask", "markup"]);
const OBJECTS = new Set(["extra_body", "google"]); // which the gateway takes as JSON
const chosen = new Map(); // by their names, for as long as the page is open

/** The path of an endpoint without its version. */
export const tail = (path) => path.trim().replace(/^\/(v1beta\/openai|v1beta|v1)\//, "");

/** The field for a file that requests to `path` have, if they may be forms. */
export const fileField = (path) => FIELDS[tail(path)];

/** The name of the file that a value stands for; the empty string for other values. */
export const fileOf = (name, value) => (FILES.has(name) && typeof value === "string" && value.startsWith("@") ? value.slice(1) : "");

/** Whether a request is sent as a form: with audio always, with images where it names a file. */
export function isForm(path, body) {
  const field = fileField(path);
  if (!field || !body || typeof body !== "object") return false;
  return field === "file" || Object.entries(body).some(([name, value]) => [value].flat().some((each) => fileOf(name, each)));
}

export function formOf(body) {
  const form = new FormData();
  for (const [name, value] of pairsOf(body)) {
    if (!value.file) form.append(name, value.text);
    else if (chosen.has(value.file)) form.append(name, chosen.get(value.file), value.file);
    else throw new Error(`Choose the file “${value.file}” below: a page cannot open it by itself.`);
  }
  return form;
}

/** The chosen files that a request names, as a field for files takes them. */
export function filesOf(body) {
  const list = new DataTransfer();
  for (const [, { file }] of pairsOf(body)) if (chosen.has(file)) list.items.add(chosen.get(file));
  return list.files;
}

/** The fields of the form as pairs of a name and either a `text` or the name of a `file`. */
export function pairsOf(body) {
  const pairs = [];
  function put(name, value, top) {
    if (value === null || value === undefined) return;
    const file = fileOf(top, value);
    if (file) pairs.push([name, { file }]);
    else if (Array.isArray(value)) value.forEach((each) => put(name.endsWith("[]") ? name : `${name}[]`, each, top));
    else if (typeof value !== "object") pairs.push([name, { text: String(value) }]);
    else if (OBJECTS.has(name)) pairs.push([name, { text: JSON.stringify(value) }]);
    else Object.entries(value).forEach(([key, each]) => put(`${name}[${key}]`, each, ""));
  }
  Object.entries(body).forEach(([name, value]) => put(name, value, name));
  return pairs;
}

/** Put a field of a form among `fields`: `name[]` is an element of a list, `name[key]` a member of an object. */
export function putField(fields, name, value) {
  const [, plain, key] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(name) ?? [null, name, null];
  const known = Object.hasOwn(fields, plain) ? fields[plain] : undefined;
  if (key) fields[plain] = { ...(typeof known === "object" && known), [key]: value };
  else if (known !== undefined) fields[plain] = [known, value].flat();
  else fields[plain] = key === "" ? [value] : value;
}

/** `body` with these files in the field that requests to `path` have for them. */
export function withFiles(path, body, files) {
  for (const file of files) chosen.set(file.name, file);
  const names = files.map((file) => `@${file.name}`);
  return { ...body, [fileField(path)]: names.length === 1 ? names[0] : names };
}

/** The fields of an example, whose files are chosen by that. */
export function exampleFields(form) {
  const fields = {};
  for (const [name, value] of Object.entries(form)) {
    if (typeof value === "object" && typeof value.data === "string") {
      const bytes = Uint8Array.from(atob(value.data), (letter) => letter.charCodeAt(0));
      chosen.set(value.name, new File([bytes], value.name, { type: value.type }));
      fields[name] = `@${value.name}`;
    } else for (const each of [value].flat()) putField(fields, name, each);
  }
  return fields;
}
