// Another app PIN. Only the bank can tell whether the old one is right, and under a wrong one all seeds would be lost: it is asked first.

import { Phone } from "../phone.js";
import { say } from "../words/words.js";
import { askForFinger } from "./finger.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { patiently } from "./patient.js";
import { chosen, pictured } from "./pin.js";
import { pinpad } from "./pinpad.js";
import { isStale, troublePlace, words } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function changepin(shell) {
  const { phone } = shell;
  const hadFinger = phone.fingerprint.on;
  const node = el("section", { class: "sheet" });
  /** Only while the old PIN is asked for does the network's coming and going draw anything. */
  let asksOld = true;

  /** @param {string} [wrong] what was wrong with the last try */
  function askOld(wrong) {
    asksOld = true;
    if (!navigator.onLine) return show(el("p", { class: "notice saffron", role: "status" }, icon("offline"), say("changeOffline")));
    const trouble = troublePlace();
    const what = el("p", { role: "status" }, say("changeOld"));
    const pad = pinpad({ word: "next", prompt: what, done: askNew });
    pad.node.dataset.first = "";
    show(what, trouble.node, pad.node, el("p", { class: "fine" }, icon("bank"), say("changeWhy")));
    if (wrong) trouble.say(wrong);
  }

  /** @param {string} old */
  function askNew(old) {
    asksOld = false;
    const parts = chosen((pin) => change(old, pin, (text) => parts[0]?.replaceChildren(text)));
    show(...parts);
  }

  /** @param {string} old @param {string} pin @param {(text: string) => void} tell */
  async function change(old, pin, tell) {
    try {
      await patiently(node, () => phone.changePin(old, pin), tell);
    } catch (error) {
      const { kind = "" } = /** @type {{ kind?: string }} */ (error);
      // No other new PIN helps.
      if (kind === "control-code" || kind === "no-consecutive-codes") return askOld(say("changeOldWrong"));
      if (kind === "control-locked") return askOld(words(error));
      if (isStale(error)) shell.learn();
      throw error;
    }
    if (node.isConnected) show(...pictured(shell, finish));
  }

  async function finish() {
    if (hadFinger && !phone.fingerprint.on && (await Phone.fingerprintPossible())) await askForFinger(shell, "fingerAgain");
    shell.back();
  }

  /** @param {...HTMLElement} parts */
  function show(...parts) {
    node.replaceChildren(el("h1", {}, say("changeTitle")), ...parts);
    /** @type {HTMLElement | null} */ (node.querySelector("[data-first]"))?.focus();
  }

  function network() {
    if (asksOld) askOld();
  }

  askOld();
  for (const event of ["online", "offline"]) addEventListener(event, network);
  return {
    node,
    leave() {
      for (const event of ["online", "offline"]) removeEventListener(event, network);
    },
  };
}
