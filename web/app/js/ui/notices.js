// What stands in the way of a code, and what may: a PIN that is not the app's, a lock, a clock that is off or that the bank takes for another,
// no network.

import { isAstray } from "../asking.js";
import { amount, moment, say } from "../words/words.js";
import { icon } from "./icons.js";
import { el, focusOn } from "./node.js";
import { patiently } from "./patient.js";
import { isStale, troublePlace } from "./trouble.js";

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

/** What of the cards is locked now: what a screen shows is not so any more once this is another. A screen looks every second, since a timer until a
 * lock ends would sleep with the phone. @param {import("../phone.js").Phone} phone */
export const locksOf = (phone) => phone.cards.flatMap(({ first, second, control }) => [first, second, control].map((use) => lockOf(phone, use)));

/** How often. */
export const LOOK_MS = 1000;

/**
 * What is shown in place of a code, if the bank would take none.
 * @param {import("./shell.js").Shell} shell
 * @param {import("../phone.js").Phone["cards"][number]} card
 * @param {"first" | "second"} slot
 * @param {ReturnType<typeof asks>} asking
 * @returns {HTMLElement | null}
 */
export function slotOff(shell, card, slot, asking) {
  const lock = lockOf(shell.phone, card[slot]);
  if (lock) return el("div", { class: "off" }, icon("lock", "big"), el("p", {}, el("b", {}, say("locked")), " ", lock));
  if (card[slot].on) return null;
  const why = slot === "first" ? say("firstOffWhy") : "";
  return el("div", { class: "off" }, icon(slot === "first" ? "shop" : "web", "big"), el("p", {}, el("b", {}, say(`${slot}Off`)), " ", why),
    ...asking(card, `${slot}On`, () => shell.phone.switchPin(card.reference, slot, true)));
}

/**
 * That the bank would take none of this card's codes for now, and a button that has it take them again; nothing, if it takes them.
 * @param {import("./shell.js").Shell} shell
 * @param {import("../phone.js").Phone["cards"][number]} card
 * @param {ReturnType<typeof asks>} asking
 */
export function astray(shell, card, asking) {
  if (!isAstray(card)) return [];
  return [notice("sync", "saffron", say("clockAstray")), ...asking(card, "resync", () => shell.phone.resync(card.reference))];
}

/** Buttons for what the bank is asked with a control code. A screen that is drawn anew gets the same ones: what is under way goes on, and what
 * went wrong stays there to be read. @param {import("./shell.js").Shell} shell */
export function asks(shell) {
  /** @type {Map<string, HTMLElement[]>} */
  const known = new Map();
  /** @param {import("../phone.js").Phone["cards"][number]} card @param {import("../words/words.js").Word} word @param {() => Promise<unknown>} act */
  return ({ reference }, word, act) => {
    const key = `${reference} ${word}`;
    const nodes = known.get(key) ?? asking(shell, word, act);
    known.set(key, nodes);
    return nodes;
  };
}

/** One of them, below a place for what went wrong.
 * @param {import("./shell.js").Shell} shell @param {import("../words/words.js").Word} word @param {() => Promise<unknown>} act */
function asking(shell, word, act) {
  const trouble = troublePlace();
  const button = el("button", { type: "button", class: "act wide", "data-choice": word, onclick: press }, say(word));
  async function press() {
    trouble.clear();
    button.disabled = true;
    try {
      await patiently(button, act, (text) => (button.textContent = text));
    } catch (error) {
      trouble.show(error);
      if (isStale(error)) shell.learn();
    }
    button.textContent = say(word);
    button.disabled = false;
    // A button that cannot be pressed has lost the focus.
    if (document.activeElement === document.body) focusOn(document.body, word);
  }
  return [trouble.node, button];
}

/** @param {Parameters<typeof icon>[0]} sign @param {string} kind @param {...string} words */
function notice(sign, kind, ...words) {
  return el("p", { class: `notice ${kind}`, "data-notice": sign }, icon(sign), el("span", {}, words.join(" ")));
}

/** @param {import("../phone.js").Phone} phone @param {import("../phone.js").Phone["cards"][number]} card */
export function notices(phone, card) {
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
