// What openai-node makes of moderations, decisions and variations, as one JSON object.
// Usage: node judgement.mjs BASE_URL KEY FILE
import { createReadStream } from "node:fs";
import OpenAI from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey, file] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const question = { type: "predicate", name: "kind", instructions: "Is it kind?" };

const seen = {
  moderation: await client.moderations.create({ input: ["Good morning", "Violence and hate"] }),
  decision: await client.post("/decisions", {
    body: { model: "gpt-6-luna", input: "Good morning", questions: [question] },
  }),
  variations: await client.images.createVariation({ image: createReadStream(file), n: 2, size: "512x512" }),
  errors: { empty: await caught(() => client.moderations.create({ input: "" })) },
};
process.stdout.write(JSON.stringify(seen));
