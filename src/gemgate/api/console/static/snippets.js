// A request as a curl line, as Python and as JavaScript; and a curl line as a request.

import { address, session } from "./api.js";
import { fileField, fileOf, pairsOf, putField, tail } from "./forms.js";

const CALLS = {
  "chat/completions": ["chat.completions.create", "chat.completions.create"],
  responses: ["responses.create", "responses.create"],
  completions: ["completions.create", "completions.create"],
  embeddings: ["embeddings.create", "embeddings.create"],
  moderations: ["moderations.create", "moderations.create"],
  "images/generations": ["images.generate", "images.generate"],
  "audio/speech": ["audio.speech.create", "audio.speech.create"],
  "audio/transcriptions": ["audio.transcriptions.create", "audio.transcriptions.create"],
  "audio/translations": ["audio.translations.create", "audio.translations.create"],
  "images/edits": ["images.edit", "images.edit"],
  "images/variations": ["images.create_variation", "images.createVariation"],
};

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const needsKey = () => session.keys !== "none";

export function curl({ path, body, isForm }) {
  const bearer = needsKey() ? ` \\\n  -H "Authorization: Bearer $GEMGATE_KEY"` : "";
  if (isForm) return `curl ${address(path)}${bearer}${pairsOf(body).map(formWord).join("")}`;
  const written = JSON.stringify(body, null, 2);
  return `curl ${address(path)} \\\n  -H 'Content-Type: application/json'${bearer} \\\n  -d ${quoted(written)}`;
}

function formWord([name, { file, text }]) {
  if (file) return ` \\\n  -F ${quoted(`${name}=@${/[;,"]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file}`)}`;
  return ` \\\n  ${/^[@<"]|;/.test(text) ? "--form-string" : "-F"} ${quoted(`${name}=${text}`)}`;
}

export function python({ path, body, isForm }) {
  const { base, call } = split(path, isForm);
  const key = needsKey() ? 'os.environ["GEMGATE_KEY"]' : '"none"';
  const head = `${needsKey() ? "import os\n\n" : ""}import openai\n\nclient = openai.OpenAI(base_url="${base}", api_key=${key})\n`;
  if (!call) return `${head}answer = client.post("/${tail(path)}", cast_to=object, body=${literal(body)})\nprint(answer)`;
  const given = literal(isForm ? opened(body, (file) => `open(${JSON.stringify(file)}, "rb")`) : body);
  return `${head}answer = client.${call[0]}(**${given})\n${streams(body) ? "for event in answer:\n    print(event)" : "print(answer)"}`;
}

export function javascript({ path, body, isForm }) {
  const { base, call } = split(path, isForm);
  const key = needsKey() ? "process.env.GEMGATE_KEY" : '"none"';
  const imports = `${isForm ? 'import fs from "node:fs";\n' : ""}import OpenAI from "openai";\n`;
  const head = `${imports}\nconst client = new OpenAI({ baseURL: "${base}", apiKey: ${key} });\n`;
  if (!call) return `${head}console.log(await client.post("/${tail(path)}", { body: ${JSON.stringify(body, null, 2)} }));`;
  const given = isForm ? literal(opened(body, (file) => `fs.createReadStream(${JSON.stringify(file)})`), JS) : JSON.stringify(body, null, 2);
  const show = streams(body) ? "for await (const event of answer) console.log(event);" : "console.log(answer);";
  return `${head}const answer = await client.${call[1]}(${given});\n${show}`;
}

const streams = (body) => String(body.stream) === "true";

/** Code in the place of a value. */
class Code {
  constructor(text) {
    this.text = text;
  }
}

/** The fields of a form, with code in place of its files. */
function opened(body, open) {
  const one = (name, value) => (fileOf(name, value) ? new Code(open(fileOf(name, value))) : value);
  return Object.fromEntries(Object.entries(body).map(([name, value]) =>
    [name, Array.isArray(value) ? value.map((each) => one(name, each)) : one(name, value)]));
}

function split(path, isForm) {
  const end = tail(path);
  const call = fileField(path) && !isForm ? undefined : CALLS[end]; // the clients send such requests as forms alone
  return { base: address(path.slice(0, path.length - end.length - 1)), call };
}

const PYTHON = { null: "None", true: "True", false: "False", indent: "    " };
const JS = { null: "null", true: "true", false: "false", indent: "  " };

/** A JSON value, which may hold code, in a language's words. */
function literal(value, words = PYTHON, indent = "") {
  const deeper = indent + words.indent;
  if (value instanceof Code) return value.text;
  if (value === null || typeof value === "boolean") return words[value];
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => literal(item, words, deeper))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, words, deeper)}`);
  const [open, close] = isList ? "[]" : "{}";
  return items.length ? `${open}\n${items.map((item) => `${deeper}${item},\n`).join("")}${indent}${close}` : open + close;
}

/** The path, the key and the text of the body, or the `fields` of a form, in a curl line; null if `text` is another text. */
export function fromCurl(text) {
  const words = wordsOf(text.trim());
  if (words?.[0] !== "curl") return null;
  const found = { path: "", key: "", text: "" };
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at];
    if (/^(-d|--data(-raw|-binary|-ascii)?|--json)$/.test(word)) found.text = words[(at += 1)] ?? "";
    else if (/^(-H|--header)$/.test(word)) readHeader(words[(at += 1)] ?? "", found);
    else if (/^(-F|--form|--form-string)$/.test(word)) readField(words[(at += 1)] ?? "", word === "--form-string", found);
    else if (/^-F./.test(word)) readField(word.slice(2), false, found);
    else if (/^(-X|--request|-o|--output|-u|--user|-m|--max-time)$/.test(word)) at += 1;
    else if (word === "--url" || /^https?:|^[\w.-]+(:\d+)?\//.test(word)) readUrl(word === "--url" ? words[(at += 1)] ?? "" : word, found);
  }
  return found.text || found.fields ? found : null;
}

/** Take a field as curl writes it: `name=text`, `name=@path;type=audio/wav`, `name="text"`; a file by the end of its path. */
function readField(word, isText, found) {
  const end = word.indexOf("=");
  if (end < 1) return;
  found.fields ??= {};
  const [name, given] = [word.slice(0, end), word.slice(end + 1)];
  if (isText) return putField(found.fields, name, given);
  const quote = /^(@?)"((?:[^"\\]|\\.)*)"/.exec(given);
  const text = quote ? quote[1] + quote[2].replace(/\\(["\\])/g, "$1") : given.replace(/;(type|filename|headers|encoder)=.*$/s, "");
  const paths = text.startsWith("@") && !quote ? text.slice(1).split(",").map((path) => `@${path}`) : [text];
  for (const each of paths) putField(found.fields, name, each.startsWith("@") ? `@${each.slice(1).replace(/^.*[/\\]/, "")}` : each);
}

function readHeader(header, found) {
  const [, name, value] = /^([^:]+):\s*(.*)$/.exec(header) ?? [];
  const key = /^(authorization|x-goog-api-key|api-key)$/i.test(name ?? "") ? value.replace(/^Bearer\s+/i, "") : "";
  if (key && !key.includes("$")) found.key = key;
}

function readUrl(word, found) {
  const path = word.replace(/^https?:\/\//, "").replace(/^[^/]*/, "").replace(/\?.*$/, "");
  const end = /\/(v1beta\/openai|v1beta|v1)\/.*$/.exec(path);
  found.path = end ? end[0] : path;
}

/** The words of a line as a POSIX shell takes it apart, without expanding anything; null if a quotation does not end. */
function wordsOf(line) {
  const words = [];
  let word = null;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at];
    if (letter === "\\") {
      at += 1;
      if (line[at] !== "\n") word = (word ?? "") + (line[at] ?? "");
    } else if (letter === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) return null;
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (letter === '"') {
      word ??= "";
      for (at += 1; line[at] !== '"'; at += 1) {
        if (at >= line.length) return null;
        if (line[at] === "\\" && '"\\$`\n'.includes(line[at + 1])) at += 1;
        word += line[at];
      }
    } else if (/\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? "") + letter;
  }
  if (word !== null) words.push(word);
  return words;
}
