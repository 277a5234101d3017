// iOS, in the browser: an app that is not on the home screen loses its storage, and what was activated in the browser is not there.

import { say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function install(shell) {
  const steps = say("installSteps").split("|").map((step) => el("li", {}, step));
  return {
    node: el("section", { class: "sheet" },
      el("div", { class: "emblem" }, icon("install")),
      el("h1", {}, say("installTitle")),
      el("p", {}, say("installWhy")),
      el("ol", { class: "steps" }, steps),
      el("button", { type: "button", class: "quiet", onclick: () => shell.go("activate") }, say("installAnyway"))),
  };
}
