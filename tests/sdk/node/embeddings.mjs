// What openai-node makes of embeddings, as one JSON object; vectors that are many as a digest of their float32 values.
// Usage: node embeddings.mjs BASE_URL KEY MODEL < JSON_LIST_OF_INPUTS
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const many = JSON.parse(readFileSync(0, "utf8"));

// Who asks for base64 gets it; who asks for nothing gets numbers, though the client asked for base64.
const bytes = (embedding) =>
  typeof embedding === "string" ? Buffer.from(embedding, "base64") : new Float32Array(embedding);

function digest(answer) {
  const hash = createHash("sha256");
  for (const item of answer.data) hash.update(bytes(item.embedding));
  const indices = answer.data.map((item) => item.index);
  return { count: answer.data.length, inOrder: indices.every((index, at) => index === at), sha256: hash.digest("hex") };
}

async function create(more) {
  return client.embeddings.create({ model, input: many, ...more });
}

const plain = await create({});
const seen = {
  plain: digest(plain),
  usage: plain.usage,
  base64: digest(await create({ encoding_format: "base64" })),
  float: digest(await create({ encoding_format: "float" })),
  reduced: (await create({ input: "A text", dimensions: 768 })).data[0].embedding,
  errors: {
    tokens: await caught(() => create({ input: [[1, 2, 3]] })),
    empty: await caught(() => create({ input: ["A text", ""] })),
    quota: await caught(() => create({ input: "Hello [[emulator: 429 7]]" })),
  },
};
process.stdout.write(JSON.stringify(seen));
