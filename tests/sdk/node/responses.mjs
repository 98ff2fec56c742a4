// What the helpers of openai-node make of responses: whole, streamed, parsed, in a loop of tools, and failing midway.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const hello = "Hello there";
const weather = {
  type: "function",
  name: "get_weather",
  strict: false,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

async function streamed(body) {
  const stream = client.responses.stream({ model, ...body });
  const kinds = [];
  for await (const event of stream) kinds.push(event.type);
  return { kinds, final: await stream.finalResponse() };
}

const whole = await client.responses.create({ model, input: hello });
const thoughtful = await streamed({ input: hello, reasoning: { effort: "low", summary: "auto" } });
const asked = [{ role: "user", content: "What is the weather in Paris?" }];
const called = await streamed({ input: asked, tools: [weather] });
const outputs = called.final.output
  .filter((item) => item.type === "function_call")
  .map((item) => ({ type: "function_call_output", call_id: item.call_id, output: "sunny" }));
const custom = await streamed({
  input: "Patch it",
  tools: [{ type: "custom", name: "apply_patch" }],
  tool_choice: { type: "custom", name: "apply_patch" },
});
const searched = await streamed({ input: "Who won the cup?", tools: [{ type: "web_search" }] });
const computed = await streamed({
  input: "Add 2 and 3",
  tools: [{ type: "code_interpreter", container: { type: "auto" } }],
});
const answered = await streamed({ input: [...asked, ...called.final.output, ...outputs], tools: [weather] });
const failures = [];
for (const scenario of ["eof", "error-mid-stream"]) {
  try {
    await streamed({ input: `${hello} [[emulator: ${scenario}]]` });
    failures.push(null);
  } catch (error) {
    failures.push(error.code);
  }
}
const cut = await streamed({ input: hello, max_output_tokens: 20 });
console.log(
  JSON.stringify({
    whole: whole.output_text,
    thoughtful: { text: thoughtful.final.output_text, types: thoughtful.final.output.map((item) => item.type) },
    called: called.final.output.map((item) => item.type),
    custom: custom.final.output.map((item) => item.type),
    searched: searched.final.output.map((item) => item.type),
    computed: computed.final.output.map((item) => item.type),
    answered: answered.final.output_text,
    failures,
    cut: cut.final.status,
  }),
);
