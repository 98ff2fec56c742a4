// What openai-node makes of legacy completions, as one JSON object. Usage: node completions.mjs BASE_URL KEY MODEL
import OpenAI from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const prompt = ["Roses are", "Violets are"];

async function streamed() {
  const chunks = [];
  const stream = await client.completions.create({
    model, prompt, n: 2, max_tokens: 12, stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

async function left() {
  let seen = 0;
  for await (const chunk of await client.completions.create({ model, prompt, max_tokens: -1, stream: true })) {
    seen += chunk.choices.length;
    break;
  }
  return seen;
}

const seen = {
  whole: await client.completions.create({ model, prompt, n: 2, max_tokens: 12 }),
  echoed: await client.completions.create({ model, prompt: prompt[0], echo: true }),
  streamed: await streamed(),
  left: await left(),
  errors: { tokens: await caught(() => client.completions.create({ model, prompt: [1, 2] })) },
};
process.stdout.write(JSON.stringify(seen));
