// Sends the request of the inspector, and shows what happens: a time line, and the events of both sides.

import { act, actWithForm, read } from "./api.js";
import { card, element, whole, written } from "./dom.js";

const MOST = 400;

export function sender(request) {
  let stopping = null;
  const line = element("ol", { class: "timeline", "aria-label": "Time line" });
  const native = element("div", { class: "events scroll", id: "native-events", tabindex: 0, role: "region", "aria-label": "Google's events" });
  const openai = element("div", { class: "events scroll", id: "openai-events", tabindex: 0, role: "region", "aria-label": "OpenAI's events" });
  const text = element("pre", { class: "scroll", id: "answer-text", tabindex: 0, role: "region", "aria-label": "The answer", "aria-live": "polite" });
  const status = element("p", { role: "status", id: "send-status" });
  const button = element("button", { type: "button", class: "primary", click: send }, "Send");
  const stop = element("button", { type: "button", hidden: true, click: () => stopping?.abort() }, "Stop");
  const box = element("div", { class: "stack answer", hidden: true },
    card("Answer", status, line, text),
    element("div", { class: "columns" }, card("Google’s side", native), card("OpenAI’s side", openai)));

  async function send() {
    let asked;
    box.hidden = false;
    for (const part of [line, native, openai, text]) part.replaceChildren();
    status.className = "";
    try {
      asked = request();
    } catch (error) {
      return fail(error.message);
    }
    [button.disabled, stop.hidden, status.textContent] = [true, false, "Sending…"];
    stopping = new AbortController();
    try {
      const answer = await (asked.form ? actWithForm : act)("api/send", asked, stopping.signal);
      if (!answer.ok) await read(answer);
      await follow(answer.body, String(asked.body.stream) === "true");
    } catch (error) {
      fail(error.name === "AbortError" ? "Stopped." : error.message);
    } finally {
      [button.disabled, stop.hidden, stopping] = [false, true, null];
    }
  }

  function fail(message) {
    status.className = "problem";
    status.textContent = message;
  }

  async function follow(body, isStream) {
    const course = courseOf(isStream);
    for await (const data of eventsOf(body)) {
      if (data.error) return fail(data.error.message);
      take(data, course);
    }
    showTimes(course);
  }

  const courseOf = (isStream) => ({ isStream, rest: "", times: [], counts: new Map() });

  function take(event, course) {
    const time = (name) => course.times.some(([known]) => known === name) || course.times.push([name, event.ms]);
    if (event.type === "accepted") time("accepted");
    else if (event.type === "native_request") {
      time("translated");
      add(native, `${event.method} ${event.path}`, event.body);
    } else if (event.type === "native_head") {
      time("first byte");
      add(native, `status ${event.status}`, null);
    } else if (event.type === "native" || event.type === "native_failed") add(native, `${event.ms} ms`, event.data ?? event.error);
    else if (event.type === "head") {
      status.className = event.status < 400 ? "good" : "problem";
      status.textContent = `Status ${event.status}`;
      add(openai, `status ${event.status}`, event.headers);
    } else if (event.type === "openai") {
      time("first token");
      takeText(event, course);
    } else if (event.type === "bytes") status.textContent = `${whole(event.size)} bytes`;
    else if (event.type === "end") {
      if (course.rest.trim()) showOpenai(course.rest, event.ms, course.isStream);
      course.rest = "";
      time("end");
    }
    showTimes(course);
  }

  function takeText(event, course) {
    course.rest += event.data;
    if (!course.isStream) return;
    const parts = course.rest.split("\n\n");
    course.rest = parts.pop();
    for (const part of parts) showOpenai(part, event.ms, true);
  }

  function showOpenai(part, ms, isStream) {
    const data = part.split("\n").filter((row) => !row.startsWith("event:")).map((row) => row.replace(/^data: ?/, "")).join("\n");
    let value = data;
    try {
      value = JSON.parse(data);
    } catch {
      // a comment, or [DONE]
    }
    add(openai, `${ms} ms`, value);
    text.append(typeof value === "string" && !isStream ? value : textOf(value));
  }

  function showTimes({ times }) {
    const last = times.length ? times[times.length - 1][1] : 0;
    line.replaceChildren(...times.map(([name, ms]) => element("li", {}, element("span", {}, name),
      element("span", { class: "mono" }, `${ms} ms`),
      element("progress", { value: ms, max: last || 1, "aria-label": `${name}: ${ms} ms` }))));
  }

  return { button, stop, box, leave: () => stopping?.abort() };
}

function add(list, head, value) {
  if (list.childElementCount >= MOST) return;
  const body = typeof value === "string" ? value : value === null ? "" : written(value, 1);
  list.append(element("pre", {}, element("span", { class: "soft" }, head), body ? `\n${body}` : ""));
}

/** What a reader of the answer sees of an event, or of a whole answer. */
function textOf(value) {
  if (typeof value?.delta === "string" && value.type?.endsWith("text.delta")) return value.delta;
  if (value?.error) return value.error.message ?? "";
  if (value?.object === "response") {
    return value.output.flatMap((item) => item.content ?? []).map((part) => part.text ?? "").join("");
  }
  if (typeof value?.text === "string" && !value.type) return value.text; // a transcript
  const [choice] = value?.choices ?? [];
  return choice?.delta?.content ?? choice?.message?.content ?? choice?.text ?? "";
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
  }
}
