// Vercel's AI SDK.
import { readFile } from "node:fs/promises";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_transcribe as transcribe } from "ai";

const [, file, baseURL, apiKey] = process.argv.slice(2);
const model = createOpenAI({ baseURL, apiKey }).transcription("whisper-1");
const { text } = await transcribe({ model, audio: await readFile(file), maxRetries: 0 });
console.log(JSON.stringify({ text }));
