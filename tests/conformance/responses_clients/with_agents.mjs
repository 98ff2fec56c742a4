// OpenAI's Agents SDK for JavaScript, in its default mode.
import { Agent, run, setDefaultOpenAIClient, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const [feature, model, baseURL, apiKey] = process.argv.slice(2);
setTracingDisabled(true);
setDefaultOpenAIClient(new OpenAI({ baseURL, apiKey, maxRetries: 0 }));
const called = [];
const offer = (name, description, result) =>
  tool({
    name,
    description,
    parameters: z.object({ city: z.string() }),
    execute: ({ city }) => {
      called.push([name, city]);
      return result;
    },
  });
const tools = [
  offer("get_weather", "The weather in a city.", "clear, 3 degrees"),
  offer("get_time", "The time in a city.", "half past twelve"),
];
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });

async function loop(stream) {
  const agent = new Agent({ name: "guide", model, tools });
  const done = await run(agent, "What are the weather and the time in Paris?", { stream });
  if (stream) await done.completed;
  return { text: done.finalOutput, called };
}

async function structured() {
  const agent = new Agent({ name: "clerk", model, outputType: Event });
  return (await run(agent, "John and Susan are going to an AI conference on Friday.")).finalOutput;
}

async function failure() {
  try {
    const agent = new Agent({ name: "host", model });
    const done = await run(agent, "Hello there [[emulator: error-mid-stream]]", { stream: true });
    for await (const _ of done);
    await done.completed;
    return {};
  } catch (error) {
    return { error: error.message };
  }
}

const done = { tools: () => loop(false), streamed: () => loop(true), structured, failure };
console.log(JSON.stringify(await done[feature]()));
