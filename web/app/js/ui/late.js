// A phone without a card, and its first minutes are over: nothing here can prove it to the bank any more. It begins anew.

import { say } from "../words/words.js";
import { icon } from "./icons.js";
import { leaveBank } from "./leaving.js";
import { el } from "./node.js";
import { troublePlace } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function late(shell) {
  const trouble = troublePlace();
  const button = el("button", { type: "button", class: "act wide", "data-first": true, onclick: again }, say("startAgain"));
  async function again() {
    trouble.clear();
    button.disabled = true;
    try {
      await leaveBank(shell.phone);
      await shell.phone.forget();
      shell.replace(shell.first());
    } catch (error) {
      trouble.show(error);
      button.disabled = false;
    }
  }
  return {
    node: el("section", { class: "sheet" },
      el("div", { class: "emblem" }, icon("clock")),
      el("h1", {}, say("lateTitle")),
      el("p", {}, say("lateWhy")),
      trouble.node, button),
  };
}
