// What openai-node makes of speech and transcripts, as one JSON object.
// Usage: node audio.mjs BASE_URL KEY FILE TEXT FOLDER
import { createReadStream, writeFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";
import { caught } from "./caught.mjs";

const [baseURL, apiKey, file, input, folder] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const { speech, transcriptions, translations } = client.audio;
const model = "whisper-1";
const upload = () => createReadStream(file);

const streamed = [];
for await (const event of await transcriptions.create({ model: "gpt-4o-transcribe", file: upload(), stream: true })) {
  streamed.push(event);
}

const spoken = {};
for (const format of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) {
  const answer = await speech.create({ model: "tts-1", voice: "coral", input, response_format: format });
  const pieces = [];
  for await (const piece of answer.body) pieces.push(piece);
  writeFileSync(`${folder}/node.${format}`, Buffer.concat(pieces));
  spoken[format] = pieces.length;
}

const seen = {
  json: await transcriptions.create({ model, file: upload() }),
  text: await transcriptions.create({ model, file: upload(), response_format: "text" }),
  vtt: await transcriptions.create({ model, file: upload(), response_format: "vtt" }),
  verbose: await transcriptions.create({
    model,
    file: upload(),
    response_format: "verbose_json",
    timestamp_granularities: ["word", "segment"],
  }),
  translated: await translations.create({ model, file: upload() }),
  failure: await caught(async () => transcriptions.create({ model, file: await toFile(Buffer.from("hi"), "a.txt") })),
  streamed,
  spoken,
};
process.stdout.write(JSON.stringify(seen));
