// A request as a curl line, as Python and as JavaScript; and a curl line as a request.

import { address, session } from "./api.js";

const CALLS = {
  "chat/completions": ["chat.completions.create", "chat.completions.create"],
  responses: ["responses.create", "responses.create"],
  completions: ["completions.create", "completions.create"],
  embeddings: ["embeddings.create", "embeddings.create"],
  moderations: ["moderations.create", "moderations.create"],
  "images/generations": ["images.generate", "images.generate"],
  "audio/speech": ["audio.speech.create", "audio.speech.create"],
};

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const needsKey = () => session.keys !== "none";

export function curl({ path, body }) {
  const bearer = needsKey() ? ` \\\n  -H "Authorization: Bearer $GEMGATE_KEY"` : "";
  const written = JSON.stringify(body, null, 2);
  return `curl ${address(path)} \\\n  -H 'Content-Type: application/json'${bearer} \\\n  -d ${quoted(written)}`;
}

export function python({ path, body }) {
  const { base, call } = split(path);
  const key = needsKey() ? 'os.environ["GEMGATE_KEY"]' : '"none"';
  const head = `${needsKey() ? "import os\n\n" : ""}import openai\n\nclient = openai.OpenAI(base_url="${base}", api_key=${key})\n`;
  if (!call) return `${head}answer = client.post("/${tail(path)}", cast_to=object, body=${literal(body)})\nprint(answer)`;
  return `${head}answer = client.${call[0]}(**${literal(body)})\n${body.stream ? "for event in answer:\n    print(event)" : "print(answer)"}`;
}

export function javascript({ path, body }) {
  const { base, call } = split(path);
  const key = needsKey() ? "process.env.GEMGATE_KEY" : '"none"';
  const head = `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: ${key} });\n`;
  const written = JSON.stringify(body, null, 2);
  if (!call) return `${head}console.log(await client.post("/${tail(path)}", { body: ${written} }));`;
  const show = body.stream ? "for await (const event of answer) console.log(event);" : "console.log(answer);";
  return `${head}const answer = await client.${call[1]}(${written});\n${show}`;
}

const tail = (path) => path.replace(/^\/(v1beta\/openai|v1beta|v1)\//, "");

function split(path) {
  const end = tail(path);
  return { base: address(path.slice(0, path.length - end.length - 1)), call: CALLS[end] };
}

/** A JSON value in Python's words. */
function literal(value, indent = "") {
  const deeper = `${indent}    `;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => literal(item, deeper))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, deeper)}`);
  const [open, close] = isList ? "[]" : "{}";
  return items.length ? `${open}\n${items.map((item) => `${deeper}${item},\n`).join("")}${indent}${close}` : open + close;
}

/** The path, the key and the text of the body in a curl line, or null if `text` is none. */
export function fromCurl(text) {
  const words = wordsOf(text.trim());
  if (words?.[0] !== "curl") return null;
  const found = { path: "", key: "", text: "" };
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at];
    if (/^(-d|--data(-raw|-binary|-ascii)?|--json)$/.test(word)) found.text = words[(at += 1)] ?? "";
    else if (/^(-H|--header)$/.test(word)) readHeader(words[(at += 1)] ?? "", found);
    else if (/^(-X|--request|-o|--output|-u|--user|-m|--max-time)$/.test(word)) at += 1;
    else if (word === "--url" || /^https?:|^[\w.-]+(:\d+)?\//.test(word)) readUrl(word === "--url" ? words[(at += 1)] ?? "" : word, found);
  }
  return found.text ? found : null;
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
