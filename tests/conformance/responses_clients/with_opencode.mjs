// opencode, with its provider for OpenAI; OPENCODE_COMMAND names its command, because its package has no complete lock.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [, model, baseURL, apiKey] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "opencode-"));
try {
  const models = { [model]: { name: model }, "gemini-2.5-flash": { name: "small" } };
  const provider = { openai: { options: { baseURL, apiKey }, models } };
  const config = { provider, small_model: "openai/gemini-2.5-flash", autoupdate: false, share: "disabled" };
  writeFileSync(join(folder, "opencode.json"), JSON.stringify(config));
  const env = { ...process.env, HOME: folder, PWD: folder, OPENCODE_DISABLE_MODELS_FETCH: "1" };
  const options = { cwd: folder, env, input: "", encoding: "utf8" };
  const done = spawnSync(process.env.OPENCODE_COMMAND, ["run", "-m", `openai/${model}`, "Use glob to list"], options);
  const shown = done.stdout + done.stderr;
  console.log(JSON.stringify({ text: done.stdout, called: /Glob/.test(shown) ? [["glob", ""]] : [], warnings: [] }));
} finally {
  rmSync(folder, { recursive: true });
}
