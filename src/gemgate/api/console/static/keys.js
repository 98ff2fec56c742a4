// Gemini keys by their labels, models that fail, facts that were learned, and client keys.

import { watch } from "./api.js";
import { card, dollars, element, seconds, table, whole } from "./dom.js";

/** Whose cool-downs are shown, by how Redis is. */
const COOLING = {
  none: "Each process has its own.",
  up: "Calls now are each process's own; cool-downs and open circuits of all replicas appear in each, through Redis.",
  down: "Redis is down: each process has its own until it is back.",
  refusing: "Redis refuses commands: each process may have its own.",
};

/** Who counts what client keys use, by how Redis is. */
const COUNTING = {
  none: "Each process counts for itself; with other replicas a key has its limits at each.",
  up: "All workers and replicas count together, in Redis.",
  down: "Redis is down: each process counts for itself, from its start or from when Redis went.",
  refusing: "Redis refuses commands: each process may count for itself.",
};

export function open(main) {
  const keys = element("div");
  const cooling = element("p", { class: "soft", id: "cooling" });
  const counting = element("p", { class: "soft", id: "counting" });
  const breakers = element("div");
  const facts = element("div");
  const clients = element("div");
  const problem = element("p", { class: "problem", role: "status" });
  main.append(element("div", { class: "stack" }, problem, card("Gemini keys", cooling, keys), card("Circuit breakers", breakers),
    card("Facts that answers have taught", facts), card("Client keys", counting, clients)));

  function show(found) {
    problem.textContent = "";
    cooling.textContent = COOLING[found.redis] ?? "";
    counting.textContent = COUNTING[found.redis] ?? "";
    const all = (name) => Object.entries(found.keys).flatMap(([process, state]) => state[name].map((row) => ({ process, ...row })));
    const process = Object.keys(found.keys).length > 1 ? [["worker", (row) => row.process]] : [];
    keys.replaceChildren(table("Gemini keys", [
      ["key", (row) => row.label], ...process, ["calls now", (row) => row.in_flight, true], ["cools down", coolDowns],
    ], all("keys"), "The gateway holds no Gemini key: callers bring their own."));
    breakers.replaceChildren(table("Circuit breakers", [
      ["model", (row) => row.model], ...process, ["methods", (row) => row.methods],
      ["state", (row) => element("span", { class: row.state === "closed" ? "good" : "problem" }, row.state.replace("_", " "))],
      ["time left", (row) => (row.left ? seconds(row.left) : ""), true],
    ], all("breakers"), "No model has failed lately."));
    facts.replaceChildren(table("Learned facts", [
      ["model", (row) => row.model], ...process, ["fact", (row) => row.fact], ["value", (row) => JSON.stringify(row.value)],
      ["from", (row) => row.teacher], ["believed for", (row) => seconds(row.left), true],
    ], all("facts"), "Nothing was learned; the built-in table holds."));
    const counter = Object.keys(found.clients).length > 1 ? [["worker", (row) => row.process]] : [];
    const callers = Object.entries(found.clients).flatMap(([id, list]) => list.map((row) => ({ process: id, ...row })));
    clients.replaceChildren(table("Client keys", [
      ["name", (row) => row.name], ...counter, ["models", (row) => row.models?.join(", ") ?? "all"],
      ["requests a minute", (row) => left(row.requests)], ["tokens a minute", (row) => left(row.tokens)],
      ["at once", (row) => row.concurrent ?? "", true],
      ["today", (row) => spent(row.spent_day, row.usd_per_day)], ["this month", (row) => spent(row.spent_month, row.usd_per_month)],
    ], callers, "The gateway asks for no client key."));
  }

  return watch("keys", 2000, show, (error) => {
    problem.textContent = error.message;
  });
}

function coolDowns(row) {
  const list = [...(row.cooldown ? [row.cooldown] : []), ...row.models];
  if (!list.length) return element("span", { class: "good" }, "no");
  return list.map((each) => element("div", {}, `${each.model || "every model"}: ${each.reason.replaceAll("_", " ")}, `,
    `${seconds(each.left)} left`, each.caller ? `, for ${each.caller} alone` : ""));
}

const meter = (used, limit, text) => element("label", {}, element("progress", { value: Math.min(used, limit), max: limit || 1 }), ` ${text}`);

const left = (bucket) => (bucket ? meter(bucket.limit - bucket.remaining, bucket.limit, `${whole(bucket.remaining)} of ${whole(bucket.limit)} left`) : "");

const spent = (used, limit) => (limit ? meter(used, limit, `${dollars(used)} of ${dollars(limit)}`) : "");
