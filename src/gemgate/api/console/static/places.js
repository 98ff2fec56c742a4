// Where in the text of a JSON value its parts are, by paths as the gateway writes them: messages[0].content.

const SPACE = /\s/;

/** A map from each path to the [start, end] of its member: name and value, or the element of a list. */
export function placesOf(text) {
  const places = new Map();
  let at = 0;

  const skip = () => {
    while (at < text.length && SPACE.test(text[at])) at += 1;
  };

  function string() {
    const start = at;
    at += 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at += 1;
    return text.slice(start, at);
  }

  function object(path) {
    at += 1;
    for (skip(); at < text.length && text[at] === '"'; skip()) {
      const start = at;
      const name = JSON.parse(string());
      const inner = path ? `${path}.${name}` : name;
      skip();
      at += 1; // the colon
      value(inner);
      places.set(inner, [start, at]);
      skip();
      if (text[at] !== ",") break;
      at += 1;
    }
    at += 1;
  }

  function list(path) {
    at += 1;
    let index = 0;
    for (skip(); at < text.length && text[at] !== "]"; skip()) {
      const start = at;
      value(`${path}[${index}]`);
      places.set(`${path}[${index}]`, [start, at]);
      index += 1;
      skip();
      if (text[at] !== ",") break;
      at += 1;
      skip();
    }
    at += 1;
  }

  function value(path) {
    skip();
    if (text[at] === "{") object(path);
    else if (text[at] === "[") list(path);
    else if (text[at] === '"') string();
    else while (at < text.length && !/[,\]}\s]/.test(text[at])) at += 1;
  }

  value("");
  return places;
}

/** The path that a note is about: of `messages[0].role=system->user` it is `messages[0].role`. */
export const pathOf = (note) => note.split(/=|->|: /, 1)[0];

/** The places that `path` names, where `[]` is every element; if it names none, those of what it is part of. */
export function findPlaces(places, path) {
  for (let wanted = path; wanted; wanted = wanted.replace(/(\.[^.[\]]*|\[\d*\]|^[^.[\]]*)$/, "")) {
    if (places.has(wanted)) return [places.get(wanted)];
    if (wanted.includes("[]")) {
      const parts = wanted.split("[]").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const pattern = new RegExp(`^${parts.join("\\[\\d+\\]")}$`);
      const found = [...places].filter(([name]) => pattern.test(name)).map(([, place]) => place);
      if (found.length) return found;
    }
  }
  return [];
}
