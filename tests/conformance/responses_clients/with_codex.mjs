// Codex CLI: as a provider of its own (over HTTP), and with nothing but the base URL changed (over a WebSocket).
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [feature, model, baseURL, key, way] = process.argv.slice(2);
const catalog = new URL(process.env.CODEX_CATALOG, "file:///").pathname;
const provider = `model_provider = "gemgate"
[model_providers.gemgate]
name = "gemgate"
base_url = "${baseURL}"
env_key = "GEMGATE_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`;
const ways = { provider, "base-url": `openai_base_url = "${baseURL}"\n` };
const prompts = {
  tools: "Run exec_command",
  failure: "Hello there [[emulator: error-mid-stream]]",
};

const home = mkdtempSync(join(tmpdir(), "codex-"));
try {
  writeFileSync(join(home, "config.toml"), `model_catalog_json = "${catalog}"\n${ways[way]}`);
  const options = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-C", home];
  const env = { ...process.env, CODEX_HOME: home, GEMGATE_KEY: key, OPENAI_API_KEY: key, CODEX_API_KEY: key };
  const started = ["node_modules/.bin/codex", ["exec", "-m", model, ...options, prompts[feature]]];
  const done = spawnSync(...started, { env, input: "", encoding: "utf8" });
  const lines = done.stdout.split("\n").filter((line) => line.startsWith("{"));
  const events = lines.map((line) => JSON.parse(line));
  const items = events.filter((event) => event.type === "item.completed").map((event) => event.item);
  const text = items.filter((item) => item.type === "agent_message").map((item) => item.text).join("\n");
  const called = items.filter((item) => item.type === "command_execution").map(() => ["exec_command", ""]);
  const warnings = items.filter((item) => item.type === "error").map((item) => item.message);
  const error = events.find((event) => event.type === "turn.failed")?.error.message;
  console.log(JSON.stringify({ text, called, warnings, error }));
} finally {
  rmSync(home, { recursive: true });
}
