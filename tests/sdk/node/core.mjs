// Drives the gateway with openai-node and prints one JSON object: what each check saw, or the error it met.
// Usage: node core.mjs BASE_URL KEY
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { caught } from "./caught.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 120_000 });
const completions = client.chat.completions;

const MODELS = ["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-3.6-flash"];
const say = (content) => [{ role: "user", content }];
const fail = (scenario) => ({ model: MODELS[0], messages: say(`Hello [[emulator: ${scenario}]]`) });
const QUESTION = say("What are the weather and the time in Paris?");
const RESULTS = { get_weather: { sky: "clear" }, get_time: { clock: "12:30" } };

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = Object.keys(RESULTS).map((name) => ({ type: "function", function: { name, parameters } }));
const Person = z.object({ name: z.string(), age: z.number().int(), nickname: z.string().nullable() });

async function text(model) {
  const completion = await completions.create({ model, messages: say("Hello there") });
  return { completion, requestId: completion._request_id };
}

async function streamed(model) {
  const chunks = [];
  const options = { model, messages: say("Hello there"), stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await completions.create(options)) chunks.push(chunk);
  return chunks;
}

async function raw(model) {
  const response = await completions.create({ model, messages: say("Hello there"), stream: true }).asResponse();
  return { type: response.headers.get("content-type"), text: await response.text() };
}

async function helper(model) {
  const seen = [];
  const stream = completions.stream({ model, messages: QUESTION, tools });
  stream.on("tool_calls.function.arguments.done", (call) => seen.push(call.name));
  return { final: await stream.finalChatCompletion(), seen };
}

async function choices(model) {
  const asked = { model, messages: say("Hello there"), n: 2 };
  const stream = completions.stream({ ...asked, stream_options: { include_usage: true } });
  return { streamed: await stream.finalChatCompletion(), buffered: await completions.create(asked) };
}

async function runTools(model, stream) {
  const called = [];
  const runner = completions.runTools({
    model,
    stream,
    messages: QUESTION,
    tools: tools.map((tool) => ({
      type: "function",
      function: {
        ...tool.function,
        parse: JSON.parse,
        function: (args) => {
          called.push([tool.function.name, args]);
          return RESULTS[tool.function.name];
        },
      },
    })),
  });
  return { content: await runner.finalContent(), called, roles: runner.messages.map((message) => message.role) };
}

async function parsed(model) {
  const response_format = zodResponseFormat(Person, "person");
  const completion = await completions.parse({ model, messages: say("Who is Ada?"), response_format });
  const stream = completions.stream({ model, messages: say("Who is Ada?"), response_format });
  return { parsed: completion.choices[0].message.parsed, streamed: (await stream.finalMessage()).parsed };
}

async function parsedCalls(model) {
  const schema = zodFunction({ name: "get_time", parameters: z.object({ city: z.string() }) });
  const completion = await completions.parse({ model, messages: say("What time is it in Paris?"), tools: [schema] });
  return completion.choices[0].message.tool_calls.map((call) => call.function.parsed_arguments);
}

async function thoughts(model) {
  const google = { thinking_config: { include_thoughts: true } };
  const asked = { model, messages: say("Hello there"), extra_body: { google } };
  const message = (await completions.create(asked)).choices[0].message;
  return { message, streamed: await completions.stream(asked).finalMessage() };
}

async function cached() {
  const chunks = [];
  const google = { cached_content: "cachedContents/0000aaaa1111bbbb2222cccc3333dddd4444eeee" };
  const asked = { model: "gemini-2.5-pro", messages: say("What happens in the video?"), extra_body: { google } };
  const stream = await completions.create({ ...asked, n: 1, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) chunks.push(chunk);
  return chunks.at(-1).usage;
}

async function read(scenario) {
  let content = "";
  const error = await caught(async () => {
    const stream = await completions.create({ ...fail(scenario), stream: true });
    for await (const chunk of stream) content += chunk.choices[0].delta.content ?? "";
  });
  return { ...error, content };
}

async function errors() {
  const stranger = new OpenAI({ apiKey: "invalid", baseURL, maxRetries: 0 });
  const badPart = [{ role: "user", content: [{ type: "smell" }] }];
  const format = { response_format: zodResponseFormat(Person, "person") };
  return {
    key: await caught(() => stranger.chat.completions.create({ model: MODELS[0], messages: say("Hello") })),
    model: await caught(() => completions.create({ model: "gemini-0-none", messages: say("Hello") })),
    quota: await caught(() => completions.create(fail("429 7"))),
    quotaStreamed: await caught(() => completions.create({ ...fail("429 7"), stream: true })),
    request: await caught(() => completions.create({ model: MODELS[0], messages: badPart })),
    server: await caught(() => completions.create(fail("503"))),
    length: await caught(() => completions.parse({ ...fail("lf"), max_completion_tokens: 1, ...format })),
    filter: await caught(() => completions.parse({ ...fail("blocked-prompt"), ...format })),
    broken: await read("error-mid-stream-data"),
    truncated: await read("eof"),
    helper: await caught(() => completions.stream(fail("eof")).finalContent()),
  };
}

async function ofEach(check) {
  return Object.fromEntries(await Promise.all(MODELS.map(async (model) => [model, await check(model)])));
}

const seen = {
  text: await ofEach(text),
  streamed: await ofEach(streamed),
  raw: await ofEach(raw),
  helper: await ofEach(helper),
  choices: await ofEach(choices),
  runTools: await ofEach((model) => runTools(model, false)),
  runToolsStreamed: await ofEach((model) => runTools(model, true)),
  parsed: await ofEach(parsed),
  parsedCalls: await ofEach(parsedCalls),
  thoughts: await ofEach(thoughts),
  cached: await cached(),
  errors: await errors(),
};
process.stdout.write(JSON.stringify(seen));
