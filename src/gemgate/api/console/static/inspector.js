// An OpenAI request, and beside it the native request that Google would get, as one types.

import { address, ask, read, session } from "./api.js";
import { card, element, written } from "./dom.js";
import { editor } from "./editor.js";
import { exampleFields, fileField, filesOf, formOf, isForm, tail, withFiles } from "./forms.js";
import { findPlaces, pathOf, placesOf } from "./places.js";
import { sender } from "./sender.js";
import { curl, fromCurl, javascript, python } from "./snippets.js";

const PAUSE = 250;
const FIRST = "chat-sampling";
const kept = { path: "", text: "", key: null }; // while another view is shown

export function open(main) {
  let tables = {};
  let timer = 0;
  let last = 0;
  const path = element("input", { id: "path", list: "paths", class: "mono", input: later, spellcheck: "false" });
  const paths = element("datalist", { id: "paths" });
  const key = element("input", { id: "key", type: "password", autocomplete: "off", input: later });
  const examples = element("select", { id: "example", change: take });
  const files = element("input", { type: "file", id: "files", multiple: true, change: choose });
  const filing = element("label", { class: "files", hidden: true }, "Files of the form", files);
  const { box, field, mark } = editor("The request", later);
  const notes = element("ul", { class: "notes" });
  const problem = element("p", { class: "problem", role: "status" });
  const native = element("pre", { class: "scroll", id: "native", tabindex: 0, role: "region", "aria-label": "The native request" });
  const target = element("p", { class: "mono", id: "target" });
  const copied = element("span", { class: "soft", role: "status" });
  const sending = sender(() => request());

  main.append(
    element("div", { class: "columns" },
      card("OpenAI request",
        element("div", { class: "bar" },
          element("label", { class: "grow" }, "Example", examples),
          element("label", { class: "grow" }, "Endpoint", path, paths),
          session.keys !== "none" && element("label", {}, session.keys === "client" ? "Client key" : "Gemini key", key)),
        box, filing,
        element("p", { class: "soft" }, "JSON, or a curl line. Parameters that Google does not get are marked. In the fields of a form, ",
          element("code", {}, "@name"), " is a file that was chosen."),
        element("div", { class: "bar" },
          sending.button, sending.stop,
          copier("Copy as curl", curl), copier("Python", python), copier("JavaScript", javascript), copied)),
      card("What Google gets", target, problem, notes, native)),
    sending.box);

  function later() {
    Object.assign(kept, { path: path.value, text: field.value, key: key.value });
    filing.hidden = !fileField(path.value);
    clearTimeout(timer);
    timer = setTimeout(translate, PAUSE);
  }

  /** What is to be sent: with a `form` if it is one, whose fields are the `body`. */
  function request() {
    takeCurl();
    const body = JSON.parse(field.value);
    const asked = { path: path.value.trim(), key: key.value.trim(), body };
    if (!isForm(asked.path, body)) return asked;
    files.files = filesOf(body);
    return { ...asked, form: formOf(body) };
  }

  /** As `request`, for a copy, which needs no file. */
  function copyable() {
    takeCurl();
    const body = JSON.parse(field.value);
    return { path: path.value.trim(), body, isForm: isForm(path.value, body) };
  }

  function takeCurl() {
    const found = fromCurl(field.value);
    if (!found) return;
    if (found.path) path.value = found.path;
    if (found.key) key.value = found.key;
    try {
      field.value = JSON.stringify(found.fields ?? JSON.parse(found.text), null, 2);
    } catch {
      field.value = found.text;
    }
    filing.hidden = !fileField(path.value);
  }

  function choose() {
    try {
      const body = JSON.parse(field.value.trim() || "{}");
      field.value = JSON.stringify(withFiles(path.value, body, [...files.files]), null, 2);
      mark([]);
      later();
    } catch (error) {
      show(null, [], error.message);
    }
  }

  async function translate() {
    const number = (last += 1);
    let asked;
    try {
      asked = request();
    } catch (error) {
      return show(null, [], error.message);
    }
    try {
      const headers = { "x-gemgate-dry-run": "true", ...(!asked.form && { "content-type": "application/json" }) };
      if (asked.key) headers.authorization = `Bearer ${asked.key}`;
      const answer = await fetch(address(asked.path), { method: "POST", headers, body: asked.form ?? JSON.stringify(asked.body) });
      const value = await answer.clone().json().catch(() => null);
      if (number !== last) return;
      if (answer.ok && value?.object === "gemgate.dry_run") return show(value, notesOf(value));
      const param = value?.error?.param;
      const refused = param ? [{ kind: "rejected", note: param, path: param }] : [];
      show(null, refused, answer.ok ? "This endpoint has no dry run." : await read(answer).catch((error) => error.message));
    } catch (error) {
      if (number === last) show(null, [], error.message);
    }
  }

  const notesOf = (value) => [
    ...value.dropped_params.map((note) => ({ kind: "dropped", note, path: pathOf(note) })),
    ...value.adjusted.map((note) => ({ kind: "adjusted", note, path: pathOf(note) })),
  ];

  function show(value, found, message = "") {
    problem.textContent = message;
    target.textContent = value ? `${value.method} ${value.path}${value.calls > 1 ? ` (${value.calls} calls)` : ""}` : "";
    native.textContent = value ? written(value.body, 2) : "";
    notes.replaceChildren(...found.map(({ kind, note, path: about }) => element("li", {},
      element("span", { class: `tag ${kind}` }, kind), " ", element("code", {}, note), " ", ...inCode(explanation(about)))));
    const places = message && !value && !found.length ? new Map() : placesOf(field.value);
    mark(found.flatMap((each) => findPlaces(places, each.path).map((place) => [...place, each.kind])));
  }

  function explanation(about) {
    const table = tables[tail(path.value)] ?? {};
    return table[about]?.text ?? table[about.replace(/[.[].*$/, "")]?.text ?? "Gemini knows no such parameter.";
  }

  function take() {
    const chosen = examples.list?.find((example) => example.name === examples.value);
    if (!chosen) return;
    path.value = chosen.path;
    field.value = JSON.stringify(chosen.form ? exampleFields(chosen.form) : chosen.body, null, 2);
    mark([]);
    later();
  }

  function copier(label, write) {
    return element("button", { type: "button", click: async () => {
      try {
        await navigator.clipboard.writeText(write(copyable()));
        copied.textContent = "Copied.";
      } catch (error) {
        copied.textContent = error.message;
      }
    } }, label);
  }

  async function start() {
    key.value = kept.key ?? session.example_key;
    const [found, list] = await Promise.all([ask("parameters"), fetch(address("console/examples.json")).then(read)]);
    tables = found;
    paths.append(...Object.keys(tables).map((name) => element("option", { value: `/v1/${name}` })));
    examples.list = list;
    examples.append(element("option", { value: "" }, "…"), ...list.map((example) =>
      element("option", { value: example.name, title: example.teaches }, example.name)));
    if (kept.text) {
      [path.value, field.value] = [kept.path, kept.text];
      filing.hidden = !fileField(path.value);
      translate();
    } else {
      examples.value = FIRST;
      take();
    }
  }

  start().catch((error) => show(null, [], error.message));
  return () => {
    clearTimeout(timer);
    sending.leave();
  };
}

/** A sentence with `words` of code in it. */
const inCode = (text) => text.split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part));
