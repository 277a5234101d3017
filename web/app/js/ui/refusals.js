// What the bank refused lately: when, which PIN, why, and what to do about it.

import { moment, say } from "../words/words.js";
import { live } from "./live.js";
import { el } from "./node.js";
import { endingOf } from "./rows.js";

/** @typedef {import("../words/words.js").Word} Word */
/** @typedef {import("../phone.js").Phone["cards"][number]} Card */
/** @typedef {Card["refusals"][number] & { card: Card }} Refused */

/** What happened, and what to do. The bank's own words stand for what is not here. @type {Record<string, [Word, Word]>} */
const PAYMENTS = {
  wrong_pin: ["whyWrong", "doPicture"],
  stale_pin: ["whyStale", "doNext"],
  no_open_pin: ["whyNoOpen", "doNext"],
  other_payment: ["whyOther", "doNext"],
  over_ceiling: ["whyCeiling", "doCeiling"],
  clock_off: ["whyClock", "doClock"],
  tries_exceeded: ["whyLocked", "doLocked"],
  wrong_expiry: ["whyExpiry", "doExpiry"],
  static_total: ["whyStatic", "doStatic"],
};
/** The same of a change that was asked for in the app. @type {Record<string, [Word, Word]>} */
const CHANGES = {
  wrong_pin: ["whyControl", "doPicture"],
  tries_exceeded: ["whyControlLocked", "doLocked"],
  no_consecutive_codes: ["whyResync", "doPicture"],
};

/** Of these cards, the newest first. @param {Card[]} cards @returns {Refused[]} */
export function refusalsOf(cards) {
  return cards.flatMap((card) => card.refusals.map((refusal) => ({ ...refusal, card }))).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

/** @param {Refused[]} refusals @param {boolean} named whether each says of which card it is */
export function refusalList(refusals, named) {
  if (refusals.length === 0) return el("p", { class: "none" }, say("refusalNone"));
  return el("ul", { class: "rows refusals", role: "list" }, refusals.map(({ at, slot, why, text, card }) => {
    const [what, remedy] = (slot ? PAYMENTS : CHANGES)[why] ?? [];
    return el("li", {},
      el("p", { class: "when" }, el("time", { datetime: at }, moment(at)), el("span", {}, say(slot ?? "inApp")), named ? endingOf(card) : null),
      el("b", {}, what ? say(what) : el("bdi", {}, text)),
      remedy ? el("p", {}, say(remedy)) : null);
  }));
}

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function refusals(shell) {
  const { phone } = shell;
  const shown = live(shell, () => phone.cards, () => {
    const all = refusalsOf(phone.cards);
    return [el("h1", {}, say("refusals")), refusalList(all, phone.cards.length > 1), all.length > 0 ? el("p", { class: "fine" }, say("refusalStrange")) : null];
  });
  shell.learn();
  return shown;
}
