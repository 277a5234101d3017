// Where an app PIN is typed. It stands in no field: no password manager asks to keep it, no screen reader says it aloud, nothing is left in
// the page. Keys and a keyboard both work.

import { digitsOf } from "../digits.js";
import { PIN_DIGITS_MAX, PIN_DIGITS_MIN } from "../lock.js";
import { figures, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";

/**
 * @param {{ done: (pin: string) => unknown, word: import("../words/words.js").Word, prompt: HTMLElement, beside?: Node | null }} options `word` is
 *   on the key that ends it, `prompt` says which PIN is wanted and names the pad, `beside` stands left of the zero
 */
export function pinpad({ done, word, prompt, beside = null }) {
  let typed = "";
  prompt.id = "prompt";
  const dots = el("div", { class: "dots", "aria-hidden": "true" });
  // How many there are is said; which, never.
  const count = el("p", { class: "unseen", role: "status" });
  const ready = el("button", { type: "button", class: "act wide", onclick: end }, say(word));
  const digit = (/** @type {number} */ d) => el("button", { type: "button", class: "digit", onclick: () => add(String(d)) }, figures(d));
  const erase = el("button", { type: "button", class: "digit plain", "aria-label": say("erase"), onclick: back }, icon("erase"));
  const keys = el("div", { class: "keys", dir: "ltr" }, [1, 2, 3, 4, 5, 6, 7, 8, 9].map(digit), el("span", { class: "beside" }, beside), digit(0), erase);
  const node = el("div", { class: "pinpad", role: "group", "aria-labelledby": prompt.id, tabindex: "0", onkeydown: key }, dots, count, keys, ready);
  show();

  function show() {
    dots.replaceChildren(...Array.from({ length: Math.max(PIN_DIGITS_MIN, typed.length) }, (_, i) => el("i", { class: i < typed.length ? "full" : "" })));
    count.textContent = say("digitsTyped", { count: typed.length });
    ready.disabled = typed.length < PIN_DIGITS_MIN;
  }

  /** @param {string} d */
  function add(d) {
    if (typed.length < PIN_DIGITS_MAX && !node.inert) typed += d;
    show();
  }

  function back() {
    typed = typed.slice(0, -1);
    show();
  }

  function end() {
    if (typed.length < PIN_DIGITS_MIN || node.inert) return;
    const pin = typed;
    clear();
    done(pin);
  }

  function clear() {
    typed = "";
    show();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const d = event.key.length === 1 ? digitsOf(event.key) : "";
    if (d) add(d);
    else if (event.key === "Backspace") back();
    else if (event.key === "Enter" && event.target === node) end();
    else return;
    event.preventDefault();
  }

  /** @param {boolean} is */
  function busy(is) {
    node.inert = is;
    // What is inert loses the focus, and the next try is typed too.
    if (!is) node.focus({ preventScroll: true });
  }

  return { node, busy };
}
