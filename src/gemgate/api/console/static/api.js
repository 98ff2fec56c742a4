// What pages ask of the gateway; nothing else is ever asked.

const base = new URL(".", document.baseURI);

/** What the gateway says of itself and of this session. */
export const session = {};

/** The address of a path of the gateway's, such as `v1/chat/completions`. */
export const address = (path) => new URL(path.replace(/^\//, ""), base).href;

export async function ask(path) {
  const answer = await fetch(address(`console/api/${path}`), { headers: { accept: "application/json" } });
  return read(answer);
}

export function act(path, body, signal) {
  return fetch(address(`console/${path}`), {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": session.csrf },
    body: JSON.stringify(body),
    signal,
  });
}

/** Send a form to an endpoint, as `act` sends JSON. */
export function actWithForm(path, { path: target, key, form }, signal) {
  const headers = { "x-csrf-token": session.csrf, "x-inspected-path": target, "x-inspected-key": key };
  return fetch(address(`console/${path}`), { method: "POST", headers, body: form, signal });
}

/** The JSON of an answer, or an error with the sentence that it holds. */
export async function read(answer) {
  if (answer.status === 401 && answer.url.includes("/console/")) location.reload();
  const value = await answer.json().catch(() => null);
  if (answer.ok) return value;
  throw new Error(value?.error?.message ?? value?.[0]?.error?.message ?? `status ${answer.status}`);
}

/** Have `show` called with what `path` says, now and every `milliseconds`, until the view is left. */
export function watch(path, milliseconds, show, problem) {
  let timer = 0;
  let isLeft = false;
  async function look() {
    try {
      const found = document.hidden ? null : await ask(path);
      if (found && !isLeft) show(found);
    } catch (error) {
      if (!isLeft) problem(error);
    }
    if (!isLeft) timer = setTimeout(look, milliseconds);
  }
  look();
  return () => {
    isLeft = true;
    clearTimeout(timer);
  };
}
