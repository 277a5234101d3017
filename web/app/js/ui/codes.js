// The PIN of this minute: of which card, for the web or where the card is read, and how much it may pay at most.

import { amount, say } from "../words/words.js";
import { deck } from "./deck.js";
import { face } from "./face.js";
import { icon } from "./icons.js";
import { el, focusOn, redraw } from "./node.js";
import { asks, astray, locksOf, LOOK_MS, notices, slotOff } from "./notices.js";
import { nameOf } from "./picture.js";

/** @typedef {"first" | "second"} Slot */
/** @typedef {import("../phone.js").Phone["cards"][number]} Card */

/** What was chosen last, as long as the app is open. @type {{ reference: string, slot: Slot, step: number }} */
const chosen = { reference: "", slot: "second", step: 0 };

/** @param {import("./shell.js").Shell} shell @param {{ typed?: boolean, reference?: string }} [args] `typed`: the
 *  app PIN was typed just now; `reference`: of the card to show @returns {import("./shell.js").Shown} */
export function codes(shell, args = {}) {
  const { phone } = shell;
  // Once only: not again after a look at the settings.
  const asked = args?.typed ? question(shell) : null;
  history.replaceState({ screen: "codes" }, "");
  if (args?.reference) Object.assign(chosen, { reference: args.reference, step: 0 });
  const place = el("div", { class: "live" });
  const asking = asks(shell);
  /** @type {{ stop(): void } | null} */
  let shown = null;
  let drawnFrom = "";

  function draw() {
    const card = phone.cards.find(({ reference }) => reference === chosen.reference) ?? phone.cards[0];
    if (!card) return;
    chosen.reference = card.reference;
    if (!steps(card, chosen.slot).includes(chosen.step)) chosen.step = 0;
    // What did not change is not drawn again: a finger may be on it.
    const from = JSON.stringify([phone.cards, locksOf(phone), chosen, Math.round((phone.clock.offsetMs ?? 0) / 10_000), navigator.onLine]);
    if (from === drawnFrom) return;
    drawnFrom = from;
    shown?.stop();
    const off = slotOff(shell, card, chosen.slot, asking);
    const live = off ? null : face(shell, card, chosen);
    shown = live;
    redraw(place, [
      deck(shell, chosen.reference, (reference) => choose({ reference, step: 0 })),
      slots(),
      ...astray(shell, card, asking),
      ...(live ? [live.node, ceilings(card)] : [off ?? ""]),
      ...notices(phone, card),
    ]);
  }

  /** @param {Partial<typeof chosen>} what */
  function choose(what) {
    Object.assign(chosen, what);
    draw();
    const { activeElement } = document;
    if (place.contains(activeElement)) activeElement?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  function slots() {
    const slot = (/** @type {Slot} */ name) =>
      el("button", { type: "button", role: "radio", "aria-checked": String(chosen.slot === name), tabindex: chosen.slot === name ? 0 : -1, "data-choice": name, onclick: () => choose({ slot: name, step: 0 }) }, icon(name === "second" ? "web" : "shop"), el("span", {}, el("b", {}, say(name)), el("small", {}, say(`${name}For`))));
    return el("div", { class: "slots", role: "radiogroup", "aria-label": say("code"), onkeydown: roam }, slot("second"), slot("first"));
  }

  /** @param {Card} card */
  function ceilings(card) {
    const own = card.ceilings[card[chosen.slot].ceiling - 1];
    const chip = (/** @type {number} */ step) => {
      const rial = step === 0 ? own : card.ceilings[step - 1];
      const words = rial ? say(step === 0 ? "limitOwn" : "upTo", { amount: amount(rial) }) : say("limitNone");
      return el("button", { type: "button", role: "radio", "aria-checked": String(chosen.step === step), tabindex: chosen.step === step ? 0 : -1, "data-choice": `step-${step}`, onclick: () => choose({ step }) }, words);
    };
    return el("div", { class: "limits" }, el("h2", { id: "limits" }, say("limit")), el("div", { class: "chips", role: "radiogroup", "aria-labelledby": "limits", onkeydown: roam }, steps(card, chosen.slot).map(chip)));
  }

  const install = installer(shell);
  const offer = () => (install.hidden = false);
  draw();
  const looks = setInterval(draw, LOOK_MS);
  phone.addEventListener("change", draw);
  addEventListener("installable", offer);
  for (const event of ["online", "offline"]) addEventListener(event, draw);
  return {
    node: el("section", { class: "home" }, el("h1", { class: "unseen" }, say("code")), asked, place, install),
    leave() {
      shown?.stop();
      clearInterval(looks);
      phone.removeEventListener("change", draw);
      removeEventListener("installable", offer);
      for (const event of ["online", "offline"]) removeEventListener(event, draw);
    },
  };
}

/** The steps of the bank's table that make a code worth less than the slot allows; 0 is as much as it allows. @param {Card} card @param {Slot} slot */
function steps(card, slot) {
  const own = card.ceilings[card[slot].ceiling - 1] ?? Infinity;
  return [0, ...card.ceilings.map((rial, i) => (rial < own ? i + 1 : 0)).filter((step) => step > 0)];
}

/** Arrow keys go through a group of choices, as they do through a form's. @param {KeyboardEvent} event */
function roam(event) {
  const choices = /** @type {HTMLElement[]} */ ([...(/** @type {Element} */ (event.currentTarget).children)]);
  const back = document.documentElement.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
  const on = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const by = [back, "ArrowUp"].includes(event.key) ? -1 : [on, "ArrowDown"].includes(event.key) ? 1 : 0;
  if (by === 0) return;
  event.preventDefault();
  const at = choices.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = choices[(at + by + choices.length) % choices.length];
  next?.focus();
  next?.click();
}

/** Whether the picture is the right one. The bank would refuse the codes of a mistyped PIN, and count. @param {import("./shell.js").Shell} shell */
function question(shell) {
  const { picture } = shell.phone;
  if (!picture) return null;
  // Whoever does not see the picture is asked before anything else.
  const node = el("div", { class: "question" },
    el("p", { id: "picture-is" }, el("b", {}, say("pictureIs", { picture: nameOf(picture) })), " ", say("pictureWhy")),
    el("div", { class: "two" },
      el("button", { type: "button", class: "quiet", onclick: () => shell.lock() }, say("pictureNo")),
      el("button", { type: "button", class: "quiet yes", "data-first": true, "aria-describedby": "picture-is", onclick: agree }, icon("check"), say("pictureYes"))));
  function agree() {
    node.remove();
    focusOn(document.body, "copy");
  }
  return node;
}

/** @param {import("./shell.js").Shell} shell */
function installer(shell) {
  const node = el("button", { type: "button", class: "quiet installer", hidden: !shell.install, onclick: ask }, icon("install"), say("install"));
  async function ask() {
    await shell.install?.prompt();
    shell.install = null;
    node.hidden = true;
  }
  return node;
}
