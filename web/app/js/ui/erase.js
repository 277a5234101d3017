// This phone goes: at the bank first, so that its codes end, then here. Without a network it may go here alone.

import { say } from "../words/words.js";
import { steps } from "./advice.js";
import { ask } from "./ask.js";
import { icon } from "./icons.js";
import { leaveBank } from "./leaving.js";
import { el } from "./node.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function erase(shell) {
  const { phone } = shell;
  const here = el("section", { class: "part", hidden: navigator.onLine },
    el("h2", {}, say("eraseHere")), el("p", {}, say("eraseHereWhat")),
    el("button", { type: "button", class: "quiet danger", "data-choice": "here", onclick: () => sure("eraseHereAsk", "eraseHereWhat", false) }, icon("trash"), say("eraseHere")));

  /** @param {import("../words/words.js").Word} title @param {import("../words/words.js").Word} what @param {boolean} atBank */
  async function sure(title, what, atBank) {
    await ask(shell, {
      title: say(title), body: [el("p", {}, say(what))], yes: say("eraseYes"), danger: true,
      async act() {
        if (atBank) await takenOff();
        await phone.forget();
        shell.replace(shell.first());
      },
    });
  }

  async function takenOff() {
    try {
      await leaveBank(phone);
    } catch (error) {
      // It may still be on.
      here.hidden = false;
      throw error;
    }
  }

  return {
    node: el("section", { class: "sheet care" },
      el("div", { class: "emblem over" }, icon("trash")),
      el("h1", {}, say("eraseTitle")),
      steps("ul", "eraseWhat"),
      el("button", { type: "button", class: "act danger wide", "data-choice": "erase", onclick: () => sure("eraseAsk", "eraseSure", true) }, say("eraseTitle")),
      here),
  };
}
