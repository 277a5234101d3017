// The bank has taken this phone off. What it kept is worth nothing any more.

import { say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { troublePlace } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function revoked(shell) {
  const trouble = troublePlace();
  const again = async () => {
    try {
      await shell.phone.forget();
      shell.replace(shell.first());
    } catch (error) {
      trouble.show(error);
    }
  };
  return {
    node: el("section", { class: "sheet" },
      el("div", { class: "emblem over" }, icon("phone")),
      el("h1", {}, say("revokedTitle")),
      el("p", {}, say("revokedWhy")),
      trouble.node,
      el("button", { type: "button", class: "act wide", "data-first": true, onclick: again }, say("startAgain"))),
  };
}
