// LangChain's ChatOpenAI for JavaScript with `useResponsesApi`.
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const [feature, name, baseURL, apiKey] = process.argv.slice(2);
const model = new ChatOpenAI({ model: name, apiKey, configuration: { baseURL }, maxRetries: 0, useResponsesApi: true });
const offer = (name, description, result) =>
  tool(() => result, { name, description, schema: z.object({ city: z.string() }) });
const functions = [
  offer("get_weather", "The weather in a city.", "clear, 3 degrees"),
  offer("get_time", "The time in a city.", "half past twelve"),
];
const Event = z.object({ name: z.string(), participants: z.array(z.string()) });

async function answer(asked, said, streamed) {
  if (!streamed) return asked.invoke(said);
  let whole;
  for await (const piece of await asked.stream(said)) whole = whole ? whole.concat(piece) : piece;
  return whole;
}

async function loop(streamed) {
  const asked = model.bindTools(functions);
  const said = [new HumanMessage("What are the weather and the time in Paris?")];
  const called = [];
  for (;;) {
    const message = await answer(asked, said, streamed);
    if (!message.tool_calls?.length) return { text: message.text, called };
    said.push(message);
    for (const { name, args, id } of message.tool_calls) {
      called.push([name, args.city]);
      const content = await functions.find((one) => one.name === name).invoke(args);
      said.push(new ToolMessage({ content, tool_call_id: id }));
    }
  }
}

async function failure() {
  try {
    await answer(model, "Hello there [[emulator: error-mid-stream]]", true);
    return {};
  } catch (error) {
    return { error: error.message };
  }
}

const structured = () =>
  model.withStructuredOutput(Event).invoke("John and Susan are going to an AI conference on Friday.");
const done = { tools: () => loop(false), streamed: () => loop(true), structured, failure };
console.log(JSON.stringify(await done[feature]()));
