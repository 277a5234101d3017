// The app PIN, or a finger. A wrong PIN opens too: nothing on the phone knows the right one. The picture tells.

import { Phone } from "../phone.js";
import { say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { pinpad } from "./pinpad.js";
import { troublePlace } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function unlock(shell) {
  const { phone } = shell;
  const trouble = troublePlace();
  const title = el("h1", {}, say("unlockTitle"));
  const finger = el("button", { type: "button", class: "digit plain", "aria-label": say("fingerprint"), onclick: () => open(() => phone.unlockByFingerprint(), false) }, icon("finger"));
  const pad = pinpad({ word: "open", prompt: title, beside: phone.fingerprint.on ? finger : null, done: (pin) => open(() => phone.unlock(pin), true) });
  pad.node.dataset.first = "";
  if (phone.fingerprint.on) Phone.fingerprintPossible().then((can) => (finger.hidden = !can));

  /** @param {() => Promise<unknown>} how @param {boolean} typed */
  async function open(how, typed) {
    trouble.clear();
    title.textContent = say("opening");
    pad.busy(true);
    try {
      await how();
      shell.replace("codes", { typed });
    } catch (error) {
      trouble.show(error);
    }
    title.textContent = say("unlockTitle");
    pad.busy(false);
  }

  return { node: el("section", { class: "sheet unlock" }, title, trouble.node, pad.node) };
}
