// The face: big digits in a ring that runs down with the minute.

import { STEP_MS } from "../crypto/ocra.js";
import { figures, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el, svg } from "./node.js";

const TICK_MS = 200;
/** From here on it may not reach the bank in its minute. The bank takes it a minute longer; still, one hurries. */
const LATE_S = 10;
const COPIED_MS = 1600;

/**
 * @param {import("./shell.js").Shell} shell
 * @param {import("../phone.js").Phone["cards"][number]} card
 * @param {{ slot: "first" | "second", step: number }} chosen
 */
export function face(shell, card, { slot, step }) {
  // Each new code is said by the shell; an output would say it once more.
  const digits = el("output", { class: "digits", dir: "ltr", "aria-live": "off", "data-code": true });
  const left = el("b", { class: "left" });
  const ring = svg("circle", { class: "run", cx: 50, cy: 50, r: 46, pathLength: 1 });
  const copy = el("button", { type: "button", class: "act wide", "data-first": true, "data-choice": "copy", onclick: copied }, icon("copy"), el("span", {}, say("copy")));
  const node = el("div", { class: "face" },
    el("div", { class: "dial" }, svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, svg("circle", { class: "rail", cx: 50, cy: 50, r: 46 }), ring),
      el("div", { class: "inside" }, el("span", { class: "what" }, say(slot)), digits, el("span", { class: "seconds", role: "timer" }, left, " ", say("left")))),
    copy,
    el("p", { class: "fine" }, say("once")));
  /** @type {Awaited<ReturnType<typeof shell.phone.code>> | null} */
  let now = null;
  let stopped = false;
  let asking = false;

  async function tick() {
    if (stopped || asking) return;
    const pastMs = now ? Date.now() - now.untilMs : 0;
    if (!now || pastMs >= 0 || -pastMs > STEP_MS) {
      // Somebody has set the phone's clock, or it slept: what the bank's is ahead of it is another by now.
      if (Math.abs(pastMs) > STEP_MS) shell.learn();
      asking = true;
      const before = now;
      now = await shell.phone.code(card.reference, slot, step).catch(() => null);
      asking = false;
      if (stopped || !now) return;
      digits.textContent = shownCode(now.code);
      digits.dataset.code = now.code;
      digits.setAttribute("aria-label", `${say("code")}: ${[...figures(now.code)].join(" ")}`);
      if (before) shell.said(say("nextCode", { code: [...now.code].join(" ") }));
    }
    const leftMs = now.untilMs - Date.now();
    const seconds = Math.max(Math.ceil(leftMs / 1000), 0);
    if (left.textContent !== figures(seconds)) left.textContent = figures(seconds);
    ring.style.setProperty("--over", String(1 - Math.max(leftMs, 0) / STEP_MS));
    node.classList.toggle("late", seconds <= LATE_S);
  }

  async function copied() {
    if (!now) return;
    const word = copy.querySelector("span");
    try {
      await navigator.clipboard.writeText(now.code);
    } catch {
      // Not allowed to: then the digits are marked, to be copied by hand.
      getSelection()?.selectAllChildren(digits);
      return;
    }
    if (!word) return;
    word.textContent = say("copied");
    shell.said(say("copied"));
    setTimeout(() => (word.textContent = say("copy")), COPIED_MS);
  }

  const timer = setInterval(tick, TICK_MS);
  tick();
  return {
    node,
    stop() {
      stopped = true;
      clearInterval(timer);
      digits.textContent = "";
      delete digits.dataset.code;
      digits.removeAttribute("aria-label");
      // The last code was said; nobody listens to it again.
      shell.said("");
    },
  };
}

/** In two groups, the second of four. @param {string} code */
function shownCode(code) {
  return figures(`${code.slice(0, -4)} ${code.slice(-4)}`);
}
