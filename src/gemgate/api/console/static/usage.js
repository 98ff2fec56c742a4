import { card } from "./dom.js";

export const open = (main) => main.append(card("Not here yet"));
