// What went wrong, in words of the person who holds the phone: what happened, and what to do.

import { isTrouble } from "../trouble.js";
import { say } from "../words/words.js";
import { el } from "./node.js";
import { icon } from "./icons.js";

/** @type {Record<string, import("../words/words.js").Word>} */
const WORDS = {
  offline: "troubleOffline",
  "issuer-unavailable": "troubleOffline",
  unanswered: "troubleUnanswered",
  "wrong-code": "troubleWrongCode",
  "card-not-accepted": "troubleCard",
  "control-code": "troubleControl",
  "no-consecutive-codes": "troubleControl",
  "control-locked": "troubleControlLocked",
  "too-many-requests": "troubleLater",
  wait: "troubleLater",
  "device-limit": "troubleDevices",
  "card-taken-off": "troubleTakenOff",
  "token-exists": "troubleExists",
  "already-exists": "troubleFull",
  "not-found": "troubleGone",
  "no-such-device": "revokedTitle",
  "counter-used": "troubleUsed",
  fault: "troubleFault",
  storage: "troubleStorage",
  cancelled: "troubleCancelled",
  "no-prf": "troubleNoPrf",
};

/** When another try is worth it, in a unit that one can follow. @param {number} seconds */
function later(seconds) {
  if (seconds > 2 * 3600) return say("troubleLaterHours", { hours: Math.ceil(seconds / 3600) });
  if (seconds > 2 * 60) return say("troubleLaterMinutes", { minutes: Math.ceil(seconds / 60) });
  return say("troubleLater", { seconds });
}

/** @param {unknown} error */
export function words(error) {
  const { kind = "", retryAfterS = 60, incident = "-" } = /** @type {Partial<import("../trouble.js").Trouble>} */ (error ?? {});
  const word = WORDS[kind];
  if (!word) {
    // Nobody foresaw it: whoever develops sees it in the console, in the words of the browser.
    if (!kind) console.error(error);
    return say("troubleOther");
  }
  if (word === "troubleLater") return later(retryAfterS);
  const remedy = kind === "control-locked" && !(/** @type {any} */ (error).retryAfterS) ? say("troubleAtm") : later(retryAfterS);
  return say(word, { seconds: retryAfterS, minutes: Math.ceil(retryAfterS / 60), incident, remedy });
}

/** Whether the bank may have something else than what is shown. @param {unknown} error */
export const isStale = (error) => ["not-found", "counter-used", "unanswered", "fault", "storage"].some((kind) => isTrouble(error, kind));

/** A place for what went wrong, empty at first. Filled, it is read out. */
export function troublePlace() {
  const node = el("p", { class: "trouble", role: "alert", hidden: true });
  return {
    node,
    /** @param {string} text */
    say(text) {
      node.replaceChildren(icon("warn"), text);
      node.hidden = false;
    },
    /** @param {unknown} error */
    show(error) {
      this.say(words(error));
    },
    clear() {
      node.hidden = true;
    },
  };
}
