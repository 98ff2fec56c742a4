// Gemini keys by their labels, models that fail, facts that were learned, and client keys.

import { watch } from "./api.js";
import { card, dollars, element, seconds, table, whole } from "./dom.js";

export function open(main) {
  const keys = element("div");
  const breakers = element("div");
  const facts = element("div");
  const clients = element("div");
  const problem = element("p", { class: "problem", role: "status" });
  main.append(element("div", { class: "stack" }, problem, card("Gemini keys", keys), card("Circuit breakers", breakers),
    card("Facts that answers have taught", facts), card("Client keys", clients)));

  function show(found) {
    problem.textContent = "";
    const all = (name) => Object.entries(found.keys).flatMap(([process, state]) => state[name].map((row) => ({ process, ...row })));
    const process = Object.keys(found.keys).length > 1 ? [["worker", (row) => row.process]] : [];
    keys.replaceChildren(table("Gemini keys", [
      ["key", (row) => row.label], ...process, ["calls now", (row) => row.in_flight, true], ["cools down", cooling],
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
    const callers = Object.entries(found.clients).flatMap(([id, list]) => list.map((row) => ({ process: id, ...row })));
    clients.replaceChildren(table("Client keys", [
      ["name", (row) => row.name], ...process, ["models", (row) => row.models?.join(", ") ?? "all"],
      ["requests a minute", (row) => left(row.requests)], ["tokens a minute", (row) => left(row.tokens)],
      ["at once", (row) => row.concurrent ?? "", true],
      ["today", (row) => spent(row.spent_day, row.usd_per_day)], ["this month", (row) => spent(row.spent_month, row.usd_per_month)],
    ], callers, "The gateway asks for no client key."));
  }

  return watch("keys", 2000, show, (error) => {
    problem.textContent = error.message;
  });
}

function cooling(row) {
  const list = [...(row.cooldown ? [row.cooldown] : []), ...row.models];
  if (!list.length) return element("span", { class: "good" }, "no");
  return list.map((each) => element("div", {}, `${each.model || "every model"}: ${each.reason.replaceAll("_", " ")}, `,
    `${seconds(each.left)} left`, each.caller ? `, for ${each.caller} alone` : ""));
}

const meter = (used, limit, text) => element("label", {}, element("progress", { value: Math.min(used, limit), max: limit || 1 }), ` ${text}`);

const left = (bucket) => (bucket ? meter(bucket.limit - bucket.remaining, bucket.limit, `${whole(bucket.remaining)} of ${whole(bucket.limit)} left`) : "");

const spent = (used, limit) => (limit ? meter(used, limit, `${dollars(used)} of ${dollars(limit)}`) : "");
