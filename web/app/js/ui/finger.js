// Opening by fingerprint, asked for in the settings and again after a change of the app PIN, which ends it.

import { say } from "../words/words.js";
import { ask } from "./ask.js";
import { el } from "./node.js";

/** @param {import("./shell.js").Shell} shell @param {"fingerAsk" | "fingerAgain"} title */
export function askForFinger(shell, title) {
  return ask(shell, { title: say(title), body: [el("p", {}, say("fingerWho"))], yes: say("turnOn"), act: () => shell.phone.enableFingerprint() });
}
