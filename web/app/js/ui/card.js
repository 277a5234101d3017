// A card: its number and expiry, as they stand on it. Neither is kept on the phone.

import { say } from "../words/words.js";
import { digitField, luhn } from "./form.js";
import { el } from "./node.js";
import { patiently } from "./patient.js";
import { isStale, troublePlace } from "./trouble.js";

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function card(shell) {
  const pan = digitField({ id: "pan", label: say("pan"), max: 19, first: true, hint: "0000 0000 0000 0000" });
  const month = digitField({ id: "month", label: say("month"), max: 2, hint: "00" });
  const year = digitField({ id: "year", label: say("year"), max: 2, hint: "00" });
  const trouble = troublePlace();
  const button = el("button", { type: "submit", class: "act wide" }, say("addCard"));
  for (const [field, next] of /** @type {const} */ ([[month, year.input], [year, button]])) {
    field.input.addEventListener("input", () => field.digits.length === 2 && next.focus());
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    trouble.clear();
    const panIs = /^\d{16,19}$/.test(pan.digits) && luhn(pan.digits);
    const expiryIs = /^(0[1-9]|1[0-2])$/.test(month.digits) && year.digits.length === 2;
    pan.wrong(panIs ? "" : say("panWrong"));
    month.wrong(expiryIs ? "" : say("expiryWrong"));
    if (!panIs || !expiryIs) return (panIs ? month : pan).input.focus();
    button.disabled = true;
    try {
      const reference = await patiently(button, () => shell.phone.addCard({ pan: pan.digits, expiry: year.digits + month.digits }), (text) => (button.textContent = text));
      if (button.isConnected) shell.replace("codes", { reference });
    } catch (error) {
      const { kind } = /** @type {{ kind?: string }} */ (error);
      // The first minutes are over, and there is no card to prove anything with.
      if (kind === "control-code" && shell.phone.stage === "activated") {
        await shell.phone.learnTime().catch(() => {});
        return shell.replace(shell.first());
      }
      trouble.show(error);
      if (isStale(error)) shell.learn();
      button.textContent = say("addCard");
      button.disabled = false;
    }
  }

  return {
    node: el("form", { class: "sheet", novalidate: true, onsubmit: send },
      el("h1", {}, say("cardTitle")),
      el("p", {}, say("cardWhy")),
      el("div", { class: "plastic", "data-hue": "own" },
        el("span", { class: "chip", "aria-hidden": "true" }),
        pan.node,
        el("fieldset", { class: "pair" }, el("legend", {}, say("expiry")), month.node, year.node)),
      trouble.node, button),
  };
}
