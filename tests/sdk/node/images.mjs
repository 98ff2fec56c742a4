// What openai-node makes of images, as one JSON object.
// Usage: node images.mjs BASE_URL KEY FILE
import { createReadStream, readFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey, file] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const images = client.images;
const model = "gemini-2.5-flash-image";
const prompt = "A lighthouse";

async function read(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const upload = () => createReadStream(file);
const typed = () => toFile(readFileSync(file), "second.jpeg", { type: "image/jpeg" });
const mask = await typed();

const seen = {
  generated: await images.generate({ model, prompt, n: 2, size: "1536x1024" }),
  streamed: await read(await images.generate({ model, prompt, stream: true })),
  one: await images.edit({ model, prompt, image: upload() }),
  several: await images.edit({ model, prompt, image: [upload(), await typed()] }),
  streamedEdit: await read(await images.edit({ model, prompt, image: upload(), stream: true })),
  errors: {
    filter: await caught(() => images.generate({ model, prompt: "Hello [[emulator: image-safety]]" })),
    words: await caught(() => images.generate({ model, prompt: "Hello [[emulator: text-only]]" })),
    quota: await caught(() => images.generate({ model, prompt: "Hello [[emulator: 429 7]]" })),
    streamed: await caught(() => images.generate({ model, prompt: "Hello [[emulator: 429 7]]", stream: true })),
    mask: await caught(() => images.edit({ model, prompt, image: upload(), mask })),
    format: await caught(() => images.generate({ model, prompt, response_format: "gif" })),
  },
};
process.stdout.write(JSON.stringify(seen));
