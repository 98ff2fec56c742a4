// OpenAI's own client for Node.
import { createReadStream } from "node:fs";
import OpenAI from "openai";

const [feature, file, baseURL, apiKey] = process.argv.slice(2);
const transcriptions = new OpenAI({ baseURL, apiKey, maxRetries: 0 }).audio.transcriptions;
const speech = () => createReadStream(file);

const features = {
  text: async () => ({ text: (await transcriptions.create({ model: "whisper-1", file: speech() })).text }),
  subtitles: async () => ({
    subtitles: await transcriptions.create({ model: "whisper-1", file: speech(), response_format: "srt" }),
  }),
  streamed: async () => {
    const pieces = [];
    const stream = await transcriptions.create({ model: "gpt-4o-transcribe", file: speech(), stream: true });
    for await (const event of stream) if (event.type === "transcript.text.delta") pieces.push(event.delta);
    return { pieces };
  },
};
console.log(JSON.stringify(await features[feature]()));
