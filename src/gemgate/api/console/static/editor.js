// A text field whose parts can be marked: a copy of the text, with the marks, lies behind it.

import { element } from "./dom.js";

export function editor(label, onInput) {
  const behind = element("pre", { "aria-hidden": "true" });
  const field = element("textarea", {
    "aria-label": label,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    input: () => {
      mark([]);
      onInput();
    },
    scroll: () => {
      behind.scrollTop = field.scrollTop;
    },
  });

  /** Marks are [start, end, class]; those that begin within another are left out. */
  function mark(marks) {
    const text = field.value;
    const parts = [];
    let at = 0;
    for (const [start, end, kind] of [...marks].sort((one, other) => one[0] - other[0] || other[1] - one[1])) {
      if (start < at) continue;
      parts.push(text.slice(at, start), element("mark", { class: kind }, text.slice(start, end)));
      at = end;
    }
    behind.replaceChildren(...parts, `${text.slice(at)}\n`);
    behind.scrollTop = field.scrollTop;
  }

  return { box: element("div", { class: "editor" }, behind, field), field, mark };
}
