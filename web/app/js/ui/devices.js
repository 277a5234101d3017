// The phones that have a card in common with this one. They are the bank's to list, and so this needs the network.

import { day, say } from "../words/words.js";
import { ask } from "./ask.js";
import { icon } from "./icons.js";
import { el, redraw } from "./node.js";
import { troublePlace } from "./trouble.js";

/** As long as the bank lets a name be. */
const NAME_MAX = 32;

/** @typedef {Awaited<ReturnType<import("../phone.js").Phone["devices"]>>[number]} Device */

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function devices(shell) {
  const { phone } = shell;
  const place = el("div", { class: "group", "aria-busy": "true" }, el("p", { class: "none", role: "status" }, say("opening")));
  const trouble = troublePlace();
  const again = el("button", { type: "button", class: "quiet", hidden: true, onclick: load }, icon("sync"), say("again"));

  async function load() {
    trouble.clear();
    again.hidden = true;
    try {
      const list = await phone.devices();
      redraw(place, [el("ul", { class: "rows devices", role: "list" }, list.map(item))]);
      place.removeAttribute("aria-busy");
    } catch (error) {
      redraw(place, []);
      trouble.show(error);
      again.hidden = false;
    }
  }

  /** @param {Device} device */
  function item(device) {
    const name = () => el("bdi", {}, device.name);
    const button = (/** @type {"edit" | "trash"} */ sign, /** @type {"rename" | "removeDevice"} */ word, /** @type {() => void} */ act) =>
      el("button", { type: "button", class: `quiet ${sign === "trash" ? "danger" : ""}`, "data-choice": `${word}-${device.device}`, onclick: act }, icon(sign), say(word), el("span", { class: "unseen" }, ": ", name()));
    return el("li", {},
      el("div", { class: "row" }, icon("phone"),
        el("span", { class: "says" }, el("b", {}, name()), device.this ? el("span", { class: "badge" }, say("thisDevice")) : null,
          el("small", {}, `${say("since", { day: day(device.activated) })} · ${say("cardsOn", { count: device.cards })}`))),
      el("div", { class: "two" }, button("edit", "rename", () => rename(device)), button("trash", "removeDevice", () => remove(device))));
  }

  /** @param {Device} device */
  async function rename({ device, name }) {
    const input = el("input", { id: "device-name", type: "text", value: name, maxlength: NAME_MAX, autocomplete: "off", dir: "auto", autofocus: true });
    const field = el("div", { class: "field" }, el("label", { for: "device-name" }, say("deviceName")), input);
    const done = await ask(shell, { title: say("renameAsk"), body: [field], yes: say("set"), wrong: { malformed: say("nameWrong"), "not-found": say("deviceGone") }, act: () => phone.renameDevice(device, input.value) });
    if (done) load();
  }

  /** @param {Device} device */
  async function remove({ this: own, device, name }) {
    // With it goes what it keeps.
    if (own) return shell.go("erase");
    const words = [el("p", {}, el("b", {}, el("bdi", {}, name)), ": ", say("removeDeviceWhat")), el("p", {}, say("lastPhone"))];
    const done = await ask(shell, { title: say("removeDeviceAsk"), body: words, yes: say("removeYes"), danger: true, wrong: { "not-found": say("deviceGone") }, act: () => phone.revokeDevice(device) });
    if (done) load();
  }

  load();
  return {
    node: el("section", { class: "sheet care" },
      el("h1", {}, say("devices")), el("p", {}, say("devicesWhat")), trouble.node, place, again),
  };
}
