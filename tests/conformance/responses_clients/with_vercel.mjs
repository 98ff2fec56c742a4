// Vercel's AI SDK with its provider for OpenAI, whose default is the Responses API.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [feature, name, baseURL, apiKey] = process.argv.slice(2);
const options = { model: createOpenAI({ baseURL, apiKey })(name), maxRetries: 0 };
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });
const called = [];
const offer = (name, description, result) =>
  tool({
    description,
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => {
      called.push([name, city]);
      return result;
    },
  });
const loop = {
  ...options,
  prompt: "What are the weather and the time in Paris?",
  tools: {
    get_weather: offer("get_weather", "The weather in a city.", "clear, 3 degrees"),
    get_time: offer("get_time", "The time in a city.", "half past twelve"),
  },
  stopWhen: stepCountIs(5),
};

async function structured() {
  const prompt = "John and Susan are going to an AI conference on Friday.";
  return (await generateText({ ...options, output: Output.object({ schema: Event }), prompt })).output;
}

async function failure() {
  let failed;
  const prompt = "Hello there [[emulator: error-mid-stream]]";
  const { fullStream } = streamText({ ...options, prompt, onError: () => {} });
  for await (const part of fullStream) if (part.type === "error") failed = part.error;
  return failed ? { error: failed.message ?? JSON.stringify(failed) } : {};
}

const done = {
  tools: async () => ({ text: (await generateText(loop)).text, called }),
  streamed: async () => ({ text: await streamText(loop).text, called }),
  structured,
  failure,
};
console.log(JSON.stringify(await done[feature]()));
