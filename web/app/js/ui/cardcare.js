// One card: what its PINs may do, what stands in their way, what was refused.

import { hueOf } from "/assets/hues.js";
import { isAstray } from "../asking.js";
import { amount, language, say } from "../words/words.js";
import { ask } from "./ask.js";
import { icon } from "./icons.js";
import { live } from "./live.js";
import { el } from "./node.js";
import { lockOf, notices } from "./notices.js";
import { refusalList, refusalsOf } from "./refusals.js";
import { endingOf, group, row, toggle } from "./rows.js";

/** @typedef {import("../phone.js").Phone["cards"][number]} Card */
/** @typedef {"first" | "second"} Slot */

/** @param {import("./shell.js").Shell} shell @param {{ reference: string }} args @returns {import("./shell.js").Shown} */
export function cardcare(shell, { reference }) {
  const { phone } = shell;
  const find = () => phone.cards.find((card) => card.reference === reference) ?? null;
  const shown = live(shell, () => find() && [find(), Math.round((phone.clock.offsetMs ?? 0) / 10_000)], draw);

  function draw() {
    const card = /** @type {Card} */ (find());
    const lock = lockOf(phone, card.control);
    const told = notices(phone, card).filter(({ dataset }) => dataset.notice !== "offline");
    return [
      plastic(card),
      navigator.onLine ? null : notice("offline", say("needsNet")),
      lock ? notice("lock", say("controlLocked"), lock) : null,
      isAstray(card) ? notice("sync", say("clockAstray")) : null,
      ...told,
      slot(card, "second"), slot(card, "first"),
      clock(card, told.some(({ dataset }) => dataset.notice === "clock")),
      el("section", { class: "group" }, el("h2", {}, say("refusals")), refusalList(refusalsOf([card]), false)),
      el("ul", { class: "rows", role: "list" }, row({ name: "remove", sign: "trash", title: say("removeCard"), danger: true, act: () => remove(card) })),
    ];
  }

  /** @param {Card} card */
  function plastic(card) {
    const node = el("div", { class: "plastic small" },
      el("span", { class: "chip", "aria-hidden": "true" }),
      el("b", {}, phone.bank?.[language() === "fa" ? "name_fa" : "name_en"] ?? ""),
      el("h1", {}, endingOf(card)));
    node.style.setProperty("--bank-hue", String(hueOf(card.bank)));
    return node;
  }

  /** @param {Card} card @param {Slot} name */
  function slot(card, name) {
    const { on, ceiling } = card[name];
    const lock = lockOf(phone, card[name]);
    return group([say(name), " ", el("small", {}, say(`${name}For`))],
      lock ? el("li", {}, notice("lock", say("locked"), lock)) : null,
      toggle({ name, sign: name === "second" ? "web" : "shop", title: say("dynamic"), sub: say(`${name}${on ? "On" : "Off"}Means`), on, act: () => turn(card, name) }),
      row({ name: `${name}-ceiling`, sign: "ceiling", title: say("ceiling"), sub: ceilingWords(card, ceiling), act: () => setCeiling(card, name) }));
  }

  /** @param {Card} card @param {Slot} name */
  function turn(card, name) {
    const { on } = card[name];
    const way = on ? /** @type {const} */ ("Off") : /** @type {const} */ ("On");
    ask(shell, { title: say(`${name}${way}Ask`), body: [el("p", {}, say(`${name}${way}What`))], yes: say(`turn${way}`), act: () => phone.switchPin(reference, name, !on) });
  }

  /** @param {Card} card @param {Slot} name */
  function setCeiling(card, name) {
    const now = card[name].ceiling;
    // The bank's table goes up; 0, no ceiling, stands above all.
    const steps = [...card.ceilings.map((_, i) => i + 1), 0];
    const choice = (/** @type {number} */ step) => el("label", { class: "choice" }, el("input", { type: "radio", name: "ceiling", value: step, checked: step === now, autofocus: step === now }), ceilingWords(card, step));
    const choices = el("div", { class: "choices", role: "radiogroup", "aria-labelledby": "ask-title" }, steps.map(choice));
    ask(shell, {
      title: say("ceilingOf", { slot: say(name) }), body: [el("p", {}, say("ceilingWhat")), choices], yes: say("set"),
      act() {
        const step = Number(/** @type {HTMLInputElement | null} */ (choices.querySelector(":checked"))?.value ?? now);
        return step === now ? null : phone.setCeiling(reference, name, step);
      },
    });
  }

  /** What the bank has learned from the codes, and the way to tell it anew. @param {Card} card @param {boolean} told whether what to do stands above */
  function clock(card, told) {
    const { clock: { hint }, refusals } = card;
    if (hint === "ok" && !isAstray(card) && !refusals.some(({ why }) => why === "clock_off")) return null;
    return group(say("clock"),
      hint === "ok" ? null : el("li", {}, notice("clock", say(hint === "slow" ? "clockHintSlow" : "clockHintFast"), told ? "" : say("clockRemedy"))),
      row({ name: "resync", sign: "sync", title: say("resync"), sub: say("resyncSub"), act: () => ask(shell, { title: say("resyncAsk"), body: [el("p", {}, say("resyncWhat"))], yes: say("resync"), act: () => phone.resync(reference) }) }));
  }

  /** @param {Card} card */
  function remove({ ending, first }) {
    const words = [el("p", {}, say(phone.cards.length === 1 ? "removeLastWhat" : "removeCardWhat"))];
    if (first.on) words.push(el("p", {}, say("lastPhone")));
    // Once the card is gone, so is this screen.
    ask(shell, { title: say("removeCardAsk", { ending }), body: words, yes: say("removeYes"), danger: true, act: () => phone.remove(reference) });
  }

  // What was refused lately is what one comes for.
  shell.learn();
  return shown;
}

/** @param {Parameters<typeof icon>[0]} sign @param {...string} words */
function notice(sign, ...words) {
  return el("p", { class: `notice ${sign === "offline" ? "" : "saffron"}`, "data-notice": sign }, icon(sign), el("span", {}, words.join(" ")));
}

/** @param {Card} card @param {number} step */
function ceilingWords({ ceilings }, step) {
  const rial = ceilings[step - 1];
  return rial ? say("limitOwn", { amount: amount(rial) }) : say("limitNone");
}
