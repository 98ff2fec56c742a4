// opencode, with its provider for OpenAI; OPENCODE_COMMAND names its command, because its package has no complete lock.
// After a failure it tries again without end: it is stopped as soon as its log has Google's own words.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [feature, model, baseURL, apiKey] = process.argv.slice(2);
const prompts = {
  tools: "Use glob to list",
  failure: "Hello there [[emulator: error-mid-stream]]",
};
const FAILURE = /.*small=false.*The operation was cancelled\..*/; // of the answer; its title fails as well

// All that it has written when it has ended, by itself or because the failure is there.
function shownBy(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const shown = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].on("data", (piece) => {
      shown[name] += piece;
      if (FAILURE.test(shown[name])) child.kill("SIGKILL");
    });
  }
  return new Promise((resolve, reject) => child.on("close", () => resolve(shown)).on("error", reject));
}

const folder = mkdtempSync(join(tmpdir(), "opencode-"));
try {
  const models = { [model]: { name: model }, "gemini-2.5-flash": { name: "small" } };
  const provider = { openai: { options: { baseURL, apiKey }, models } };
  const config = { provider, small_model: "openai/gemini-2.5-flash", autoupdate: false, share: "disabled" };
  writeFileSync(join(folder, "opencode.json"), JSON.stringify(config));
  const env = { ...process.env, HOME: folder, PWD: folder, OPENCODE_DISABLE_MODELS_FETCH: "1" };
  const logs = feature === "failure" ? ["--print-logs"] : [];
  const args = ["run", ...logs, "-m", `openai/${model}`, prompts[feature]];
  const done = await shownBy(process.env.OPENCODE_COMMAND, args, { cwd: folder, env });
  const shown = done.stdout + done.stderr;
  const [error] = FAILURE.exec(shown) ?? [];
  const called = /Glob/.test(shown) ? [["glob", ""]] : [];
  console.log(JSON.stringify({ text: done.stdout, called, warnings: [], error }));
} finally {
  rmSync(folder, { recursive: true });
}
