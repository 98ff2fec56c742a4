// OpenAI's own client for Node.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [feature, baseURL, apiKey] = process.argv.slice(2);
const completions = new OpenAI({ baseURL, apiKey, maxRetries: 0 }).chat.completions;
const model = "gemini-2.5-flash";
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });

async function tools() {
  const called = [];
  const offer = (name, result) =>
    zodFunction({
      name,
      parameters: z.object({ city: z.string() }),
      function: ({ city }) => {
        called.push([name, city]);
        return result;
      },
    });
  const runner = completions.runTools({
    model,
    messages: [{ role: "user", content: "What are the weather and the time in Paris?" }],
    tools: [offer("get_weather", "clear, 3 degrees"), offer("get_time", "half past twelve")],
  });
  return { text: await runner.finalContent(), called };
}

async function stream() {
  const pieces = [];
  const messages = [{ role: "user", content: "Hello there" }];
  for await (const chunk of await completions.create({ model, messages, stream: true })) {
    pieces.push(chunk.choices[0].delta.content ?? "");
  }
  return { pieces };
}

async function structured() {
  const completion = await completions.parse({
    model,
    messages: [{ role: "user", content: "John and Susan are going to an AI conference on Friday." }],
    response_format: zodResponseFormat(Event, "event"),
  });
  return completion.choices[0].message.parsed;
}

console.log(JSON.stringify(await { tools, stream, structured }[feature]()));
