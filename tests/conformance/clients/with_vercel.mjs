// Vercel's AI SDK, with its provider for services that are compatible with OpenAI's.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [feature, baseURL, apiKey] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: "gemgate", baseURL, apiKey, supportsStructuredOutputs: true });
const model = provider("gemini-2.5-flash");
const options = { model, maxRetries: 0 };
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });

async function tools() {
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
  const { text } = await generateText({
    ...options,
    prompt: "What are the weather and the time in Paris?",
    tools: {
      get_weather: offer("get_weather", "The weather in a city.", "clear, 3 degrees"),
      get_time: offer("get_time", "The time in a city.", "half past twelve"),
    },
    stopWhen: stepCountIs(5),
  });
  return { text, called };
}

async function stream() {
  const pieces = [];
  for await (const piece of streamText({ ...options, prompt: "Hello there" }).textStream) pieces.push(piece);
  return { pieces };
}

async function structured() {
  const prompt = "John and Susan are going to an AI conference on Friday.";
  return (await generateObject({ ...options, schema: Event, prompt })).object;
}

console.log(JSON.stringify(await { tools, stream, structured }[feature]()));
