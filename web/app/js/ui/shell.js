// What stands around the screens: the bar at the top, the way from one to the next and back, the lock that falls by itself.

import { Trouble } from "../trouble.js";
import { say, speak, language } from "../words/words.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { drawn } from "./picture.js";
import { drawing } from "./screens.js";
import { words } from "./trouble.js";

/** @typedef {Event & { prompt(): Promise<unknown> }} InstallEvent */
/** @typedef {{ node: HTMLElement, leave?: () => void }} Shown what a screen gives: itself, and what is to be done when it goes */
/** @typedef {import("./screens.js").Screen} Screen */

/** Out of sight this long, the app locks. */
const HIDDEN_MS = 60_000;
/** And untouched this long. */
const IDLE_MS = 180_000;
/** A clock that is put right by less is no clock that was set back. */
const SET_BACK_MS = 10_000;
/** Screens of a phone that is none yet, and all that want no app PIN; the others want the app open. */
const NEW = /** @type {Screen[]} */ (["install", "activate"]);
const BEFORE = /** @type {Screen[]} */ ([...NEW, "pin", "late", "unlock", "revoked"]);

export class Shell {
  /** @type {import("../phone.js").Phone} */
  // @ts-expect-error: there from `start` on, and no screen is before it.
  phone = null;
  /** @type {Screen} */
  screen = "activate";
  /** @type {any} */
  args = undefined;
  /** @type {Shown | null} */
  shown = null;
  /** @type {InstallEvent | null} */
  install = null;
  idle = 0;
  /** When it locks by itself. */
  dueMs = Infinity;
  /** When that was settled. */
  sinceMs = -Infinity;
  turn = 0;

  /** @param {import("../phone.js").Phone} phone */
  start(phone) {
    this.phone = phone;
    addEventListener("popstate", ({ state }) => this.show(state?.screen ?? this.first(), state?.args));
    addEventListener("visibilitychange", () => (document.hidden ? this.lockIn(HIDDEN_MS) : this.seen()));
    // What the screens show may have changed while nothing could be asked.
    addEventListener("online", () => this.learn());
    for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => this.lockIn(IDLE_MS));
    phone.addEventListener("change", () => this.changed());
    this.replace(this.first());
    this.learn();
  }

  /** Nothing else is left to be shown. @param {unknown} error */
  cannotStart(error) {
    this.shown?.leave?.();
    this.shown = null;
    const again = el("button", { type: "button", class: "act wide", onclick: () => location.reload() }, say("tryAgain"));
    document.getElementById("screen")?.replaceChildren(el("section", { class: "sheet" }, el("p", { class: "trouble", role: "alert" }, icon("warn"), words(error)), again));
  }

  /** Where this phone is. @returns {Screen} */
  first() {
    if (this.phone.isRevoked) return "revoked";
    if (this.phone.stage === "ready") return this.phone.isOpen ? "codes" : "unlock";
    // Without a card nothing can prove this phone any more, once its first minutes are over.
    if (this.phone.stage === "activated") return (this.phone.freeUntilMs ?? 0) > Date.now() ? "pin" : "late";
    const { standalone } = /** @type {Navigator & { standalone?: boolean }} */ (navigator);
    return standalone === false ? "install" : "activate";
  }

  /** Another screen, from which one comes back to this one. @param {Screen} screen @param {any} [args] */
  go(screen, args) {
    history.pushState({ screen, args }, "");
    this.show(screen, args);
  }

  /** Another screen in place of this one. @param {Screen} screen @param {any} [args] */
  replace(screen, args) {
    history.replaceState({ screen, args }, "");
    this.show(screen, args);
  }

  back() {
    history.back();
  }

  /** @param {Screen} screen @param {any} args */
  async show(screen, args) {
    // A step back may lead to what this phone is not, or not any more.
    if (!this.fits(screen)) screen = this.first();
    const turn = (this.turn += 1);
    const draw = await drawing(screen).catch(() => null);
    // It was fetched, and something else is to be shown by now.
    if (turn !== this.turn) return;
    if (!draw) return this.cannotStart(new Trouble("offline"));
    this.shown?.leave?.();
    [this.screen, this.args] = [screen, args];
    const place = /** @type {HTMLElement} */ (document.getElementById("screen"));
    place.dataset.screen = screen;
    this.shown = draw(this, args);
    place.replaceChildren(this.shown.node);
    this.bar();
    scrollTo(0, 0);
    // Whoever does not see it is told where he is; on a screen for typing one types at once.
    /** @type {HTMLElement} */ (place.querySelector("[data-first]") ?? place).focus({ preventScroll: true });
  }

  /** Whether this phone can be on a screen. @param {Screen} screen */
  fits(screen) {
    const { stage, isOpen, isRevoked } = this.phone;
    if (isRevoked) return screen === "revoked";
    if (stage === "new") return NEW.includes(screen);
    if (stage === "activated") return screen === this.first() || (screen === "card" && isOpen && this.first() === "pin");
    return isOpen ? !BEFORE.includes(screen) : screen === "unlock";
  }

  /** Draws this screen again. */
  again() {
    this.show(this.screen, this.args);
  }

  changed() {
    // It may have closed by itself: another window has changed the PIN, or erased all; or the bank has taken it off. What opens it goes on by itself.
    if (!this.fits(this.screen) && !(this.screen === "unlock" && this.phone.isOpen)) this.replace(this.first());
    else this.bar();
  }

  bar() {
    const { phone, screen } = this;
    const bank = phone.bank ? phone.bank[language() === "fa" ? "name_fa" : "name_en"] : say("app");
    const brand = el("span", { class: "brand" }, el("img", { src: "/assets/mark.svg", alt: "", width: 32, height: 32 }), el("b", {}, bank));
    const button = (/** @type {Parameters<typeof icon>[0]} */ name, /** @type {import("../words/words.js").Word} */ word, /** @type {() => void} */ act) =>
      el("button", { type: "button", class: "round", "aria-label": say(word), title: say(word), onclick: act }, icon(name, name === "back" ? "turn" : ""));
    const isHome = screen === "codes";
    const inside = phone.isOpen && phone.stage === "ready";
    const other = el("button", { type: "button", class: "other", lang: language() === "fa" ? "en" : "fa", onclick: () => this.speak() }, say("other"));
    document.getElementById("top")?.replaceChildren(
      inside && !isHome ? button("back", "back", () => this.back()) : "",
      brand,
      inside && phone.picture ? drawn(phone.picture, "small") : "",
      ...(isHome ? [button("gear", "settings", () => this.go("settings")), button("lock", "lock", () => this.lock())] : []),
      inside ? "" : other,
    );
  }

  async speak() {
    await speak(language() === "fa" ? "en" : "fa");
    this.again();
  }

  /** Said to whoever listens; nothing is to be seen. @param {string} text */
  said(text) {
    const place = document.getElementById("said");
    if (place) place.textContent = text;
  }

  lock() {
    if (!this.phone.isOpen) return;
    this.phone.lock();
    if (this.phone.stage === "ready") this.replace("unlock");
  }

  /** @param {number} ms */
  lockIn(ms) {
    const now = Date.now();
    // A phone that slept, or froze the page, let no timer run. Of one whose clock was set back nobody knows how long it did.
    if (now >= this.dueMs || now < this.sinceMs - SET_BACK_MS) this.lock();
    [this.sinceMs, this.dueMs] = [now, now + ms];
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.lock(), ms);
  }

  /** The app is looked at again. */
  seen() {
    this.lockIn(IDLE_MS);
    this.learn();
  }

  /** What the bank knows of this phone, if it can be asked. Nothing waits for it. */
  async learn() {
    await (this.phone.stage === "new" ? this.phone.learnTime() : this.phone.refresh()).catch(() => {});
  }

  /** @param {InstallEvent} event */
  installable(event) {
    this.install = event;
    dispatchEvent(new Event("installable"));
  }
}
