// Drives the gateway with @google/genai and prints one JSON object: what each flow saw.
// Usage: node genai.mjs ORIGIN KEY VERSION EMULATOR
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GoogleGenAI } from "@google/genai";

const [baseUrl, apiKey, apiVersion, emulator] = process.argv.slice(2);
const ai = new GoogleGenAI({ apiKey, apiVersion, httpOptions: { baseUrl, timeout: 120_000 } });
const model = "gemini-2.5-flash";

async function read(pager) {
  const found = [];
  for await (const item of pager) found.push(item);
  return found;
}

async function refused(work) {
  try {
    return { nothing: await work() };
  } catch (error) {
    return { name: error.name, status: error.status, message: error.message };
  }
}

async function streamed() {
  const stream = await ai.models.generateContentStream({ model, contents: "Hello there" });
  return (await read(stream)).map((chunk) => chunk.text);
}

async function chat() {
  const parameters = { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] };
  const tools = [{ functionDeclarations: [{ name: "get_weather", description: "The weather", parameters }] }];
  const talk = ai.chats.create({ model, config: { tools } });
  const [call] = (await talk.sendMessage({ message: "What is the weather in Paris?" })).functionCalls;
  const response = { sky: `clear over ${call.args.city}` };
  const answer = await talk.sendMessage({ message: { functionResponse: { name: call.name, id: call.id, response } } });
  return { call, text: answer.text };
}

async function files() {
  const content = new Blob(["0123456789abcdef".repeat(640 * 1024)], { type: "text/plain" });
  const file = await ai.files.upload({ file: content, config: { displayName: "large.txt" } });
  const seen = { file, got: await ai.files.get({ name: file.name }) };
  seen.listed = (await read(await ai.files.list({ config: { pageSize: 1 } }))).map((each) => each.name);
  await ai.files.delete({ name: file.name });
  return { ...seen, gone: await refused(() => ai.files.get({ name: file.name })) };
}

async function caches() {
  const contents = "A long text. ".repeat(1000);
  const cache = await ai.caches.create({ model, config: { contents, ttl: "600s", displayName: "text" } });
  const answer = await ai.models.generateContent({ model, contents: "Sum up", config: { cachedContent: cache.name } });
  const changed = await ai.caches.update({ name: cache.name, config: { ttl: "7200s" } });
  const listed = (await read(await ai.caches.list())).map((each) => each.name);
  await ai.caches.delete({ name: cache.name });
  const gone = await refused(() => ai.caches.get({ name: cache.name }));
  return { cache, cached: answer.usageMetadata.cachedContentTokenCount, changed, listed, gone };
}

async function finished(job) {
  await fetch(`${emulator}/emulator/clock`, { method: "POST", body: JSON.stringify({ advanceSeconds: 60 }) });
  return ai.batches.get({ name: job.name });
}

async function batches() {
  const src = [{ contents: [{ role: "user", parts: [{ text: "Hello" }] }] }];
  const inline = await finished(await ai.batches.create({ model, src, config: { displayName: "inline" } }));
  const line = JSON.stringify({ key: "one", request: src[0] });
  const config = { mimeType: "jsonl", displayName: "in.jsonl" };
  const file = await ai.files.upload({ file: new Blob([line]), config });
  const job = await finished(await ai.batches.create({ model, src: file.name, config: { displayName: "file" } }));
  const downloadPath = join(tmpdir(), `${file.name.replace("/", "-")}.jsonl`);
  await ai.files.download({ file: job.dest.fileName, downloadPath });
  const results = readFileSync(downloadPath, "utf8");
  rmSync(downloadPath);
  return { state: inline.state, texts: inline.dest.inlinedResponses.length, results };
}

const seen = {
  answer: (await ai.models.generateContent({ model, contents: "Hello there" })).text,
  streamed: await streamed(),
  chat: await chat(),
  tokens: (await ai.models.countTokens({ model, contents: "Hello there" })).totalTokens,
  embeddings: (await ai.models.embedContent({ model: "gemini-embedding-001", contents: ["a", "b"] })).embeddings.length,
  models: (await read(await ai.models.list())).map((each) => each.name),
  model: (await ai.models.get({ model })).name,
  files: await files(),
  caches: await caches(),
  batches: await batches(),
  refused: await refused(() => ai.models.generateContent({ model, contents: "Hello [[emulator: 429 7]]" })),
};
process.stdout.write(JSON.stringify(seen));
