// The newest batches of all callers, and what the store holds.

import { watch } from "./api.js";
import { bytes, card, element, table, whole } from "./dom.js";

export function open(main) {
  const batches = element("div");
  const files = element("div");
  const problem = element("p", { class: "problem", role: "status" });
  main.append(element("div", { class: "stack" }, problem, card("Batches", batches), card("In the store", files)));

  function show(found) {
    problem.textContent = "";
    batches.replaceChildren(table("Batches", [
      ["created", (row) => new Date(row.created_at * 1000).toLocaleString("en-GB")],
      ["id", (row) => element("span", { class: "mono" }, row.id)],
      ["caller", (row) => row.caller],
      ["endpoint", (row) => row.endpoint],
      ["model", (row) => row.model ?? ""],
      ["status", (row) => row.status.replaceAll("_", " ")],
      ["progress", progress],
      ["errors", (row) => row.errors.join(", ")],
    ], found.batches, "No batch yet."));
    const held = [...Object.entries(found.files).map(([name, of]) => [`files: ${name}`, of]), ...Object.entries(found.others)];
    files.replaceChildren(table("In the store", [
      ["kind", ([name]) => name], ["number", ([, of]) => whole(of.number), true],
      ["bytes", ([, of]) => (of.bytes === null ? "" : bytes(of.bytes)), true],
    ], held));
  }

  return watch("store", 3000, show, (error) => {
    problem.textContent = error.message;
  });
}

function progress(row) {
  const done = row.completed + row.failed;
  return element("label", {},
    element("progress", { value: done, max: row.total || 1, "aria-label": `${row.id}: ${done} of ${row.total}` }),
    ` ${whole(done)} of ${whole(row.total)}`,
    row.failed ? element("span", { class: "problem" }, `, ${whole(row.failed)} failed`) : "");
}
