// Lists of what can be opened, switched or changed: a name, a line that says how it stands, a sign at either end.

import { figures, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";

/** @typedef {import("./node.js").Child} Child */
/** @typedef {Parameters<typeof icon>[0]} Sign */

/** @param {Child | Child[]} title @param {...(Child | Child[])} rows list items */
export function group(title, ...rows) {
  return el("section", { class: "group" }, el("h2", {}, title), el("ul", { class: "rows", role: "list" }, ...rows));
}

/**
 * Leads somewhere. `name` is what the focus finds it by.
 * @param {{ name: string, sign: Sign, title: Child, sub?: Child, danger?: boolean, act: () => void }} what
 */
export function row({ name, sign, title, sub, danger = false, act }) {
  return el("li", {}, el("button", { type: "button", class: `row ${danger ? "danger" : ""}`, "data-choice": name, onclick: act },
    icon(sign), el("span", { class: "says" }, el("b", {}, title), sub ? el("small", {}, sub) : null), icon("more", "turn")));
}

/**
 * Is on or off. One that cannot be switched stays in the order of the keyboard: its line says why.
 * @param {{ name: string, sign: Sign, title: string, sub: string, on: boolean, can?: boolean, act: () => void }} what
 */
export function toggle({ name, sign, title, sub, on, can = true, act }) {
  return el("li", {}, el("button", { type: "button", class: "row", role: "switch", "aria-checked": String(on), "aria-disabled": can ? null : "true", "aria-labelledby": `${name}-b`, "aria-describedby": `${name}-s`, "data-choice": name, onclick: () => can && act() },
    icon(sign), el("span", { class: "says" }, el("b", { id: `${name}-b` }, title), el("small", { id: `${name}-s` }, sub)), el("span", { class: "switch", "aria-hidden": "true" })));
}

/** The end of a card's number. @param {import("../phone.js").Phone["cards"][number]} card */
export function endingOf({ ending }) {
  return el("span", { class: "ending", dir: "ltr" }, el("span", { class: "unseen" }, say("theCard"), " "), el("span", { "aria-hidden": "true" }, "•••• "), figures(ending));
}
