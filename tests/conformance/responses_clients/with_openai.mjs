// OpenAI's own client for Node: `responses.create`, `responses.stream` and `responses.parse`.
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const [feature, model, baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const results = { get_weather: "clear, 3 degrees", get_time: "half past twelve" };
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const functions = Object.keys(results).map((name) => ({ type: "function", name, parameters }));
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });

const answer = (streamed, body) =>
  streamed ? client.responses.stream({ model, ...body }).finalResponse() : client.responses.create({ model, ...body });

async function loop(streamed) {
  const input = [{ role: "user", content: "What are the weather and the time in Paris?" }];
  const called = [];
  for (;;) {
    const response = await answer(streamed, { input, tools: functions });
    input.push(...response.output);
    const calls = response.output.filter((item) => item.type === "function_call");
    if (calls.length === 0) return { text: response.output_text, called };
    for (const { name, arguments: given, call_id } of calls) {
      called.push([name, JSON.parse(given).city]);
      input.push({ type: "function_call_output", call_id, output: results[name] });
    }
  }
}

async function structured() {
  const input = "John and Susan are going to an AI conference on Friday.";
  const response = await client.responses.parse({ model, input, text: { format: zodTextFormat(Event, "event") } });
  return response.output_parsed;
}

async function failure() {
  try {
    await answer(true, { input: "Hello there [[emulator: error-mid-stream]]" });
    return {};
  } catch (error) {
    return { error: error.message };
  }
}

const done = { tools: () => loop(false), streamed: () => loop(true), structured, failure };
console.log(JSON.stringify(await done[feature]()));
