// What to know before it is needed. Nothing here asks the bank: it is read where there is no network too.

import { say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";

/** @typedef {import("../words/words.js").Word} Word */

/** A phone that is gone. */
export function lost() {
  return page("phone", "lost", [el("p", {}, say("lostWhat")), steps("ol", "lostSteps"), part("lostThenTitle", "lostThen")]);
}

/** Why there is no backup. */
export function backup() {
  return page("shield", "backup", [el("p", {}, say("backupWhat")), part("backupInsteadTitle", "backupInstead")]);
}

/** @param {Parameters<typeof icon>[0]} sign @param {Word} title @param {HTMLElement[]} parts @returns {import("./shell.js").Shown} */
function page(sign, title, parts) {
  return { node: el("article", { class: "sheet care" }, el("div", { class: "emblem" }, icon(sign)), el("h1", {}, say(title)), ...parts) };
}

/** @param {Word} title @param {Word} list */
function part(title, list) {
  return el("section", { class: "part" }, el("h2", {}, say(title)), steps("ul", list));
}

/** @param {"ol" | "ul"} tag @param {Word} list parted by | */
export function steps(tag, list) {
  return el(tag, { class: "steps" }, say(list).split("|").map((step) => el("li", {}, step)));
}
