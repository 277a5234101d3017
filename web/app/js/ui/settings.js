// Everything that is not a code.

import { Phone } from "../phone.js";
import { language, moment, say } from "../words/words.js";
import { ask } from "./ask.js";
import { askForFinger } from "./finger.js";
import { icon } from "./icons.js";
import { live } from "./live.js";
import { el } from "./node.js";
import { lockOf } from "./notices.js";
import { refusalsOf } from "./refusals.js";
import { endingOf, group, row, toggle } from "./rows.js";

/** @param {import("./shell.js").Shell} shell @param {{ row?: string }} [args] `row`: what one comes back from
 *  @returns {import("./shell.js").Shown} */
export function settings(shell, args = {}) {
  const { phone } = shell;
  /** Whether the browser can; not known at first. @type {boolean | null} */
  let canFinger = null;
  const shown = live(shell, () => [phone.cards, phone.fingerprint, canFinger, Boolean(shell.install)], draw);

  function draw() {
    return [el("h1", {}, say("settings")), cards(), security(), help(), app()];
  }

  /** Opens a screen; one comes back to the row that led there. @param {import("./shell.js").Screen} screen @param {any} [more] @param {string} [name] */
  function open(screen, more, name = screen) {
    here(name);
    shell.go(screen, more);
  }

  /** @param {string} name */
  function here(name) {
    shell.args = { row: name };
    history.replaceState({ screen: "settings", args: shell.args }, "");
  }

  function cards() {
    return group(say("cards"),
      phone.cards.map((card) => row({ name: card.reference, sign: "card", title: endingOf(card), sub: stateOf(phone, card), act: () => open("cardcare", { reference: card.reference }, card.reference) })),
      row({ name: "card", sign: "plus", title: say("addAnother"), act: () => open("card") }));
  }

  function security() {
    const latest = refusalsOf(phone.cards)[0];
    const { on } = phone.fingerprint;
    return group(say("security"),
      row({ name: "changepin", sign: "pin", title: say("pinTitle"), sub: say("changeSub"), act: () => open("changepin") }),
      toggle({ name: "finger", sign: "finger", title: say("fingerprint"), sub: say(canFinger === false ? "fingerCannot" : "fingerSub"), on, can: on || canFinger === true, act: switchFinger }),
      row({ name: "devices", sign: "phone", title: say("devices"), sub: say("devicesSub"), act: () => open("devices") }),
      row({ name: "refusals", sign: "receipt", title: say("refusals"), sub: latest ? say("refusalLatest", { time: moment(latest.at) }) : say("refusalNone"), act: () => open("refusals") }));
  }

  function switchFinger() {
    if (!phone.fingerprint.on) return askForFinger(shell, "fingerAsk");
    return ask(shell, { title: say("fingerOff"), body: [el("p", {}, say("fingerOffWhat"))], yes: say("turnOff"), act: () => phone.disableFingerprint() });
  }

  function help() {
    return group(say("help"),
      row({ name: "lost", sign: "help", title: say("lost"), sub: say("lostSub"), act: () => open("lost") }),
      row({ name: "backup", sign: "shield", title: say("backup"), sub: say("backupSub"), act: () => open("backup") }));
  }

  function app() {
    return group(say("thisApp"),
      languages(),
      shell.install && row({ name: "install", sign: "install", title: say("install"), act: install }),
      row({ name: "erase", sign: "trash", title: say("eraseTitle"), danger: true, act: () => open("erase") }));
  }

  function languages() {
    const choice = (/** @type {"fa" | "en"} */ lang, /** @type {string} */ word) =>
      el("button", { type: "button", lang, "aria-pressed": String(language() === lang), "data-choice": `language-${lang}`, onclick: () => speak(lang) }, word);
    return el("li", { class: "row" }, icon("globe"), el("b", { class: "says", id: "language" }, say("language")),
      el("span", { class: "pick", role: "group", "aria-labelledby": "language" }, choice("fa", "فارسی"), choice("en", "English")));
  }

  /** @param {"fa" | "en"} lang */
  function speak(lang) {
    if (language() === lang) return;
    here(`language-${lang}`);
    shell.speak();
  }

  async function install() {
    await shell.install?.prompt();
    shell.install = null;
    shown.follow();
  }

  Phone.fingerprintPossible().then((can) => {
    canFinger = can;
    shown.follow();
  });
  const from = args?.row ? shown.node.querySelector(`[data-choice="${args.row}"]`) : null;
  if (from) {
    from.setAttribute("data-first", "");
    requestAnimationFrame(() => from.scrollIntoView({ block: "center" }));
  }
  return shown;
}

/** @param {Phone} phone @param {Phone["cards"][number]} card */
function stateOf(phone, { first, second }) {
  const state = say(first.on ? (second.on ? "bothOn" : "firstIs") : second.on ? "secondIs" : "noneOn");
  return lockOf(phone, first) || lockOf(phone, second) ? `${state} · ${say("isLocked")}` : state;
}
