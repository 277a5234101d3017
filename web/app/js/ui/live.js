// A screen that follows what it shows: drawn again when that has changed, and only then, for a finger may be on it.

import { el, redraw } from "./node.js";
import { locksOf, LOOK_MS } from "./notices.js";

/** @typedef {import("./node.js").Child} Child */

/**
 * @param {import("./shell.js").Shell} shell
 * @param {() => unknown} from everything that is shown; `null`: it is no more, and one goes back
 * @param {() => Child[]} draw
 * @returns {import("./shell.js").Shown & { follow: () => void }}
 */
export function live(shell, from, draw) {
  const { phone } = shell;
  const node = el("section", { class: "sheet care" });
  const events = ["online", "offline", "installable"];
  let drawn = "";
  let left = false;

  function leave() {
    left = true;
    clearInterval(looks);
    phone.removeEventListener("change", follow);
    for (const event of events) removeEventListener(event, follow);
  }

  function follow() {
    // Closed, it is the shell's turn.
    if (left || !phone.isOpen) return;
    if (phone.stage !== "ready") return shell.replace(shell.first());
    const what = from();
    if (what === null) {
      leave();
      return shell.back();
    }
    const now = JSON.stringify([what, locksOf(phone), navigator.onLine]);
    if (now === drawn) return;
    drawn = now;
    redraw(node, draw());
  }

  const looks = setInterval(follow, LOOK_MS);
  follow();
  phone.addEventListener("change", follow);
  for (const event of events) addEventListener(event, follow);
  return { node, leave, follow };
}
