// The cards side by side, each in its bank's colour.

import { hueOf } from "/assets/hues.js";
import { figures, language, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";

/**
 * @param {import("./shell.js").Shell} shell
 * @param {string} chosen
 * @param {(reference: string) => void} choose
 */
export function deck(shell, chosen, choose) {
  const { phone } = shell;
  const name = phone.bank?.[language() === "fa" ? "name_fa" : "name_en"] ?? "";
  const cards = phone.cards.map(({ reference, ending, bank }) => {
    const button = el("button", { type: "button", class: "plastic small", "aria-pressed": String(reference === chosen), "data-choice": reference, onclick: () => choose(reference) },
      el("span", { class: "chip", "aria-hidden": "true" }),
      el("b", {}, name),
      el("span", { class: "ending", dir: "ltr" }, el("span", { "aria-hidden": "true" }, "•••• "), figures(ending)));
    button.style.setProperty("--bank-hue", String(hueOf(bank)));
    return button;
  });
  const another = el("button", { type: "button", class: "another", "data-choice": "another", "aria-label": say("addAnother"), title: say("addAnother"), onclick: () => shell.go("card") }, icon("plus"));
  return el("div", { class: "deck", role: "group", "aria-label": say("cards") }, cards, another);
}
