// What openai-node sees of the models, as one JSON object.
// Usage: node models.mjs BASE_URL KEY
import OpenAI from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const stranger = new OpenAI({ apiKey: "invalid", baseURL, maxRetries: 0 });

const list = [];
for await (const model of client.models.list()) list.push(model);

const seen = {
  list,
  spellings: [await client.models.retrieve("gemini-2.5-flash"), await client.models.retrieve("models/gemini-2.5-flash")],
  errors: {
    unknown: await caught(() => client.models.retrieve("gemini-0-none")),
    key: await caught(() => stranger.models.list()),
    delete: await caught(() => client.models.delete("gemini-2.5-flash")),
  },
};
process.stdout.write(JSON.stringify(seen));
