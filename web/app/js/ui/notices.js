// What stands in the way of a code, and what may: a PIN that is not the app's, a lock, a clock that is off, no network.

import { amount, moment, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { patiently } from "./patient.js";
import { troublePlace } from "./trouble.js";

/** A clock that is off by less is nobody's trouble: the bank takes a minute either way. */
const CLOCK_OFF_MS = 30_000;

/**
 * Until when a lock holds, in words; nothing if there is none any more. Its end is told in the bank's time.
 * @param {import("../phone.js").Phone} phone
 * @param {{ locked: boolean, locked_until: string | null }} slot
 */
export function lockOf(phone, { locked, locked_until }) {
  const now = Date.now() + (phone.clock.offsetMs ?? 0);
  if (!locked || (locked_until && Date.parse(locked_until) <= now)) return null;
  return locked_until ? say("lockedUntil", { time: moment(locked_until) }) : say("lockedUntilAtm");
}

/**
 * What is shown in place of a code, if the bank would take none.
 * @param {import("./shell.js").Shell} shell
 * @param {import("../phone.js").Phone["cards"][number]} card
 * @param {"first" | "second"} slot
 * @returns {HTMLElement | null}
 */
export function slotOff(shell, card, slot) {
  const lock = lockOf(shell.phone, card[slot]);
  if (lock) return el("div", { class: "off" }, icon("lock", "big"), el("p", {}, el("b", {}, say("locked")), " ", lock));
  if (card[slot].on) return null;
  const trouble = troublePlace();
  const button = el("button", { type: "button", class: "act wide", onclick: turnOn }, say(slot === "first" ? "firstOn" : "secondOn"));
  async function turnOn() {
    trouble.clear();
    button.disabled = true;
    try {
      await patiently(button, () => shell.phone.switchPin(card.reference, slot, true), (text) => (button.textContent = text));
    } catch (error) {
      trouble.show(error);
      button.textContent = say(slot === "first" ? "firstOn" : "secondOn");
      button.disabled = false;
    }
  }
  const why = slot === "first" ? say("firstOffWhy") : "";
  return el("div", { class: "off" }, icon(slot === "first" ? "shop" : "web", "big"), el("p", {}, el("b", {}, say(`${slot}Off`)), " ", why), trouble.node, button);
}

/** @param {import("../phone.js").Phone} phone @param {import("../phone.js").Phone["cards"][number]} card */
export function notices(phone, card) {
  const notice = (/** @type {Parameters<typeof icon>[0]} */ sign, /** @type {string} */ kind, /** @type {string[]} */ ...words) =>
    el("p", { class: `notice ${kind}`, "data-notice": sign }, icon(sign), el("span", {}, words.join(" ")));
  const shown = [];
  const off = phone.clock.offsetMs ?? 0;
  if (Math.abs(off) > CLOCK_OFF_MS) {
    const minutes = Math.max(Math.round(Math.abs(off) / 60_000), 1);
    shown.push(notice("clock", "saffron", say(off < 0 ? "clockFast" : "clockSlow", { minutes }), say("clockRemedy")));
  }
  if (card.first_day_max !== null) shown.push(notice("shield", "", say("firstDay", { amount: amount(card.first_day_max) })));
  if (!navigator.onLine) shown.push(notice("offline", "", say("offline")));
  return shown;
}
