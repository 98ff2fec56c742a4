// Drives the gateway with @google/genai in its Vertex AI mode and prints one JSON object: what each flow saw.
// Usage: node genai-vertex.mjs ORIGIN KEY VERSION PROJECT LOCATION FOLDER
import { GoogleGenAI } from "@google/genai";
import { OAuth2Client } from "google-auth-library";

const [baseUrl, key, apiVersion, project, location, folder] = process.argv.slice(2);
const httpOptions = { baseUrl, timeout: 120_000 };
const authClient = new OAuth2Client();
authClient.setCredentials({ access_token: key });
const vertexai = true;
const ai = new GoogleGenAI({ vertexai, project, location, apiVersion, httpOptions, googleAuthOptions: { authClient } });
const express = new GoogleGenAI({ vertexai, apiKey: key, apiVersion, httpOptions });
const model = "gemini-2.5-flash";
const endpoint = `projects/${project}/locations/${location}/endpoints/1234`;

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

async function streamed(client) {
  const stream = await client.models.generateContentStream({ model, contents: "Hello there" });
  return (await read(stream)).map((chunk) => chunk.text);
}

async function chat() {
  const parameters = { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] };
  const tools = [{ functionDeclarations: [{ name: "get_weather", description: "The weather", parameters }] }];
  const talk = ai.chats.create({ model, config: { tools } });
  const [call] = (await talk.sendMessage({ message: "What is the weather in Paris?" })).functionCalls;
  const response = { sky: `clear over ${call.args.city}` };
  const answer = await talk.sendMessage({ message: { functionResponse: { name: call.name, response } } });
  return { call, text: answer.text };
}

async function embedded(client, name, contents) {
  return (await client.models.embedContent({ model: name, contents })).embeddings.map((each) => each.values.length);
}

async function caches() {
  const contents = "A long text. ".repeat(1000);
  const cache = await ai.caches.create({ model, config: { contents, ttl: "600s", displayName: "text" } });
  const got = await ai.caches.get({ name: cache.name });
  const answer = await ai.models.generateContent({ model, contents: "Sum up", config: { cachedContent: cache.name } });
  const changed = await ai.caches.update({ name: cache.name, config: { ttl: "7200s" } });
  const listed = (await read(await ai.caches.list())).map((each) => each.name);
  await ai.caches.delete({ name: cache.name });
  const gone = await refused(() => ai.caches.get({ name: cache.name }));
  return { cache, got: got.name, cached: answer.usageMetadata.cachedContentTokenCount, changed, listed, gone };
}

async function batches() {
  const src = `${folder}/in.jsonl`;
  const job = await ai.batches.create({ model, src, config: { displayName: "mine", dest: `${folder}/out` } });
  const states = [];
  for (let polls = 0; polls < 4; polls++) states.push((await ai.batches.get({ name: job.name })).state);
  const other = await ai.batches.create({ model, src });
  await ai.batches.cancel({ name: other.name });
  const cancelled = (await ai.batches.get({ name: other.name })).state;
  const listed = (await read(await ai.batches.list({ config: { pageSize: 1 } }))).map((each) => each.name);
  await ai.batches.delete({ name: job.name });
  const gone = await refused(() => ai.batches.get({ name: job.name }));
  const elsewhere = await refused(() => ai.batches.create({ model, src: "gs://another-bucket/in.jsonl" }));
  return { job, states, cancelled, listed, other: other.name, gone, elsewhere };
}

const seen = {
  answer: (await ai.models.generateContent({ model, contents: "Hello there" })).text,
  streamed: await streamed(ai),
  express: (await express.models.generateContent({ model, contents: "Hello there" })).text,
  expressStreamed: await streamed(express),
  chat: await chat(),
  tokens: (await ai.models.countTokens({ model, contents: "Hello there" })).totalTokens,
  computed: (await ai.models.computeTokens({ model, contents: "Hello there" })).tokensInfo[0].tokenIds.length,
  embeddings: await embedded(ai, "gemini-embedding-001", ["one", "two"]),
  embedding2: await embedded(express, "gemini-embedding-2", "one"),
  models: (await read(await ai.models.list())).map((each) => each.name),
  tuned: (await ai.models.generateContent({ model: endpoint, contents: "Hello there" })).text,
  caches: await caches(),
  batches: await batches(),
  refused: await refused(() => ai.models.generateContent({ model: "gemini-9-nonsense", contents: "Hello" })),
};
process.stdout.write(JSON.stringify(seen));
