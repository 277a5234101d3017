// The app PIN, twice, and its picture once. Afterwards it is nowhere.

import { isSimple } from "../lock.js";
import { say } from "../words/words.js";
import { el } from "./node.js";
import { icon } from "./icons.js";
import { drawn, nameOf } from "./picture.js";
import { pinpad } from "./pinpad.js";
import { troublePlace } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function pin(shell) {
  const node = el("section", { class: "sheet" });
  const choosing = chosen(async (/** @type {string} */ pin) => {
    try {
      await shell.phone.choosePin(pin);
    } catch (error) {
      // A card that was asked for before is there after all, and so is the PIN of then.
      if (shell.phone.stage === "ready") return shell.replace("unlock");
      throw error;
    }
    node.replaceChildren(el("h1", {}, say("pinTitle")), ...pictured(shell, () => shell.replace("card")));
  });
  node.append(el("h1", {}, say("pinTitle")), ...choosing);
  return { node };
}

/**
 * The choice of a PIN, typed twice: what stands on the screen for it.
 * @param {(pin: string) => Promise<unknown>} use
 * @returns {HTMLElement[]}
 */
export function chosen(use) {
  let first = "";
  const what = el("p", { role: "status" }, say("pinChoose"));
  const trouble = troublePlace();
  const pad = pinpad({ word: "next", prompt: what, done: typed });
  pad.node.dataset.first = "";

  /** @param {string} pin */
  async function typed(pin) {
    trouble.clear();
    if (!first) {
      if (isSimple(pin)) return trouble.say(say("pinEasy"));
      first = pin;
      what.textContent = say("pinRepeat");
      return;
    }
    const same = pin === first;
    first = "";
    what.textContent = say("pinChoose");
    if (!same) return trouble.say(say("pinDiffers"));
    what.textContent = say("opening");
    pad.busy(true);
    try {
      await use(pin);
    } catch (error) {
      what.textContent = say("pinChoose");
      pad.busy(false);
      trouble.show(error);
    }
  }

  return [what, trouble.node, pad.node, el("p", { class: "fine" }, icon("lock"), say("pinNowhere"))];
}

/**
 * The picture of the PIN that was chosen, and the way on.
 * @param {import("./shell.js").Shell} shell @param {() => void} on
 * @returns {HTMLElement[]}
 */
export function pictured({ phone }, on) {
  if (!phone.picture) return [];
  const next = el("button", { type: "button", class: "act wide", onclick: on }, say("next"));
  setTimeout(() => next.focus());
  return [el("div", { class: "remember" }, drawn(phone.picture, "large"), el("b", {}, say("pinPicture"))), el("p", { role: "status" }, say("pinPictureWhy", { picture: nameOf(phone.picture) })), next];
}
