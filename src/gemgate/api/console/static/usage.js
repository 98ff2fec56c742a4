// Tokens and cost by model and by caller, over the last hours.

import { address, watch } from "./api.js";
import { card, clock, dollars, drawn, element, table, whole } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 140;

export function open(main) {
  const charts = element("div", { class: "charts" });
  const models = element("div");
  const callers = element("div");
  const problem = element("p", { class: "problem", role: "status" });
  main.append(element("div", { class: "stack" }, problem, card("The last hours", charts), element("div", { class: "columns" },
    card("By model", models), card("By caller", callers)),
    element("p", { class: "soft" }, "Of this host alone, since the start of the gateway, six hours at most, without batches. For more, ",
      element("a", { href: address("metrics") }, "the metrics"), " and the Grafana dashboard in docs/monitoring.md.")));

  function show(found) {
    problem.textContent = "";
    const rows = Object.values(found.usage).flat();
    charts.replaceChildren(
      chart("Requests", rows, found, (row) => row.requests, whole),
      chart("Tokens", rows, found, (row) => row.prompt + row.completion, whole),
      chart("Cost", rows, found, (row) => row.cost, dollars));
    models.replaceChildren(sums("model", rows));
    callers.replaceChildren(sums("caller", rows));
  }

  return watch("usage", 5000, show, (error) => {
    problem.textContent = error.message;
  });
}

function sums(by, rows) {
  const totals = new Map();
  for (const row of rows) {
    const total = totals.get(row[by]) ?? { name: row[by], requests: 0, failed: 0, prompt: 0, completion: 0, cost: 0 };
    for (const name of ["requests", "failed", "prompt", "completion", "cost"]) total[name] += row[name];
    totals.set(row[by], total);
  }
  const sorted = [...totals.values()].sort((one, other) => other.cost - one.cost || other.requests - one.requests);
  return table(`By ${by}`, [
    [by, (row) => row.name || "–"], ["requests", (row) => whole(row.requests), true], ["failed", (row) => whole(row.failed), true],
    ["prompt", (row) => whole(row.prompt), true], ["completion", (row) => whole(row.completion), true],
    ["cost", (row) => dollars(row.cost), true],
  ], sorted);
}

function chart(title, rows, { bucket_seconds: step, hours }, value, write) {
  const now = Math.floor(Date.now() / 1000 / step) * step;
  const number = (hours * 3600) / step;
  const values = new Array(number).fill(0);
  for (const row of rows) {
    const place = number - 1 - (now - row.at) / step;
    if (place >= 0 && place < number) values[place] += value(row);
  }
  const most = Math.max(...values);
  const total = values.reduce((sum, each) => sum + each, 0);
  const wide = WIDTH / number;
  const bars = values.map((each, place) => {
    const tall = most ? (each / most) * (HEIGHT - 4) : 0;
    const from = clock(now - (number - 1 - place) * step);
    return drawn("rect", { x: place * wide, y: HEIGHT - tall, width: Math.max(wide - 1, 1), height: tall },
      drawn("title", {}, `${from}: ${write(each)}`));
  });
  return element("figure", { class: "figure" }, element("figcaption", {}, `${title}: ${write(total)}`,
    most ? element("span", { class: "soft" }, `, at most ${write(most)} in ${step / 60} minutes`) : ""),
  drawn("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title} of the last ${hours} hours: ${write(total)}` },
    drawn("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), ...bars));
}
