// The last requests, as they end.

import { address, session } from "./api.js";
import { card, clock, dollars, element, whole } from "./dom.js";

const MOST = 300;
const NAMED = 8;
const DETAILS = ["method", "path", "outcome", "error", "first_token_ms", "prompt_tokens", "completion_tokens",
  "thoughts_tokens", "cached_tokens", "gemini_key", "retries", "dropped", "adjusted", "trace_id", "address", "end_user",
  "request_id", "replica", "process"];

const OTHERS = {
  none: "Other replicas are not seen: that takes a Redis that all have in common.",
  up: "Replicas with the same Redis are seen, those whose console is on.",
  down: "Redis is down: other replicas are not seen until it is back.",
  refusing: "Redis refuses commands: other replicas may be missing.",
};

/** Which requests are seen, in words. */
export function sight({ processes, replicas, redis }, keepsBodies) {
  const names = Object.keys(replicas);
  const all = Object.values(replicas).flat().length;
  const host = processes.length === 1 ? `this process (${processes[0]})` : `the ${processes.length} workers of this host`;
  const named = `${names.slice(0, NAMED).join(", ")}${names.length > NAMED ? ", …" : ""}`;
  const whose = names.length > 1 ? `${names.length} replicas with ${all} processes, through Redis: ${named}` : host;
  const kept = keepsBodies ? "Bodies are kept at each replica, and shown of this host alone." : "Bodies are not kept.";
  return `Seen: the last requests of ${whose}. ${OTHERS[redis] ?? ""} ${kept}`;
}

export function open(main) {
  const rows = [];
  const seen = element("p", { class: "soft", id: "seen", role: "status" }, "Connecting…");
  const words = element("input", { type: "search", id: "filter", input: show });
  const outcome = element("select", { id: "outcome", change: show },
    ["all", "completed", "refused", "failed", "client_gone"].map((name) => element("option", {}, name)));
  const caller = element("select", { id: "caller", change: show }, element("option", { value: "" }, "all"));
  const paused = element("input", { type: "checkbox", id: "paused", change: show });
  const body = element("tbody");
  const details = element("div", { class: "stack", id: "details", tabindex: -1 });
  const head = [["time"], ["caller"], ["asked"], ["served"], ["status"], ["tokens", 1], ["cost", 1], ["retries", 1], ["ms", 1]];

  main.append(element("div", { class: "stack" },
    card("Requests",
      element("div", { class: "bar" },
        element("label", { class: "grow" }, "Path, model, caller, id or error", words),
        element("label", {}, "Outcome", outcome), element("label", {}, "Caller", caller),
        element("label", { class: "check" }, paused, " pause")),
      seen,
      element("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Requests" },
        element("table", {}, element("thead", {}, element("tr", {}, head.map(([name, number]) =>
          element("th", { scope: "col", class: number ? "number" : "" }, name)))), body))),
    details));

  const source = new EventSource(address("console/api/requests"));
  source.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    seen.textContent = sight(news, session.log_bodies);
    const known = new Set(rows.map(idOf));
    rows.unshift(...news.rows.filter((row) => !known.has(idOf(row))).reverse());
    rows.sort((one, other) => other.at - one.at); // those of other replicas come a little later
    rows.length = Math.min(rows.length, MOST);
    for (const row of news.rows) addCaller(row.caller);
    if (!paused.checked) show();
  };
  source.onerror = () => {
    seen.textContent = "The connection broke; trying again…";
  };

  const idOf = (row) => `${row.replica} ${row.process} ${row.number} ${row.request_id}`;

  function addCaller(name) {
    if (name && caller.length < 200 && ![...caller.options].some((option) => option.value === name)) {
      caller.append(element("option", { value: name }, name));
    }
  }

  function isWanted(row) {
    const text = words.value.trim().toLowerCase();
    const about = [row.path, row.model, row.served, row.caller, row.request_id, row.error, row.status].join(" ").toLowerCase();
    return about.includes(text) && (outcome.value === "all" || row.outcome === outcome.value) &&
      (!caller.value || row.caller === caller.value);
  }

  function show() {
    body.replaceChildren(...rows.filter(isWanted).map((row) => element("tr", {},
      element("td", {}, element("button", { type: "button", "aria-label": `Details of ${row.request_id}`, click: () => detail(row) }, clock(row.at))),
      element("td", {}, row.caller ?? ""),
      element("td", {}, row.model ?? row.path),
      element("td", {}, row.status < 400 ? row.served ?? "" : "", notesOf(row)),
      element("td", { class: row.status < 400 ? "good" : "problem" }, row.status, row.error ? ` ${row.error}` : ""),
      element("td", { class: "number" }, row.prompt_tokens === undefined ? "" : `${whole(row.prompt_tokens)} + ${whole(row.completion_tokens)}`),
      element("td", { class: "number" }, dollars(row.cost_usd)),
      element("td", { class: "number" }, row.retries ?? ""),
      element("td", { class: "number" }, row.ms))));
  }

  const notesOf = (row) => [
    row.dropped && element("span", { class: "tag dropped", title: row.dropped.join(", ") }, `${row.dropped.length} dropped`),
    row.adjusted && element("span", { class: "tag adjusted", title: row.adjusted.join("; ") }, `${row.adjusted.length} adjusted`),
  ];

  function detail(row) {
    const first = row.first_token_ms;
    const times = [["accepted", 0], ...(first === undefined ? [] : [["first token", first]]), ["end", row.ms]];
    details.replaceChildren(card(`Request of ${clock(row.at)}`,
      element("ol", { class: "timeline" }, times.map(([name, ms]) => element("li", {}, element("span", {}, name),
        element("span", { class: "mono" }, `${ms} ms`), element("progress", { value: ms, max: row.ms || 1, "aria-label": name })))),
      element("table", {}, element("tbody", {}, DETAILS.filter((name) => row[name] !== undefined).map((name) =>
        element("tr", {}, element("th", { scope: "row" }, name.replaceAll("_", " ")),
          element("td", { class: "mono" }, Array.isArray(row[name]) ? row[name].join(", ") : String(row[name])))))),
      row.bodies && element("div", { class: "columns" }, Object.entries(row.bodies).map(([name, value]) =>
        element("div", {}, element("h3", {}, name.replaceAll("_", " ")), element("pre", { class: "scroll" }, JSON.stringify(value, null, 2)))))));
    details.focus();
  }

  return () => source.close();
}
