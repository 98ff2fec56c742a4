// Which view is shown: the one that the address names after its #.

import { act, ask, session } from "./api.js";
import { element } from "./dom.js";

const TITLES = { inspector: "Inspector", requests: "Requests", keys: "Keys and models", batches: "Batches and files", usage: "Usage" };
const main = document.getElementById("view");
let leave = () => {};
let shown = "";

async function show() {
  const name = location.hash.slice(1);
  if (name === "view") return main.focus();
  const chosen = name in TITLES ? name : "inspector";
  if (chosen === shown) return;
  shown = chosen;
  leave();
  leave = () => {};
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${chosen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `gemgate: ${TITLES[chosen]}`;
  try {
    const view = await import(`./${chosen}.js`);
    if (shown !== chosen) return;
    main.replaceChildren();
    leave = view.open(main) ?? leave;
  } catch (error) {
    main.replaceChildren(element("p", { class: "problem", role: "alert" }, String(error.message ?? error)));
  }
}

async function start() {
  Object.assign(session, await ask("session"));
  document.getElementById("where").textContent = `${session.version} · ${session.upstream}`;
  const button = document.getElementById("log-out");
  button.hidden = !session.has_token;
  button.addEventListener("click", () => act("logout", {}).then(() => location.reload()));
  addEventListener("hashchange", show);
  await show();
}

start().catch((error) => main.replaceChildren(element("p", { class: "problem", role: "alert" }, error.message)));
