// Somebody with the app: from the two halves of a code to a code of his own, by what he sees and touches.

import assert from "node:assert/strict";

import { PHONE } from "./chromium.mjs";
import { freed } from "./holder.mjs";
import { otherThan } from "./payer.mjs";
import { Customer, textDuring } from "./terminal.mjs";

export const APP_PIN = "271828";
const STEP_S = 60;

export class App {
  /** The app of the card's bank in a fresh phone, whose clock is the lab's. */
  static async of(desk, lab, card, { lang = "fa", ...window } = {}) {
    const page = await desk.window({ viewport: PHONE, locale: lang === "fa" ? "fa-IR" : "en-GB", ...window });
    freed(desk, lab, card);
    return new App(desk, lab, card, page).opened();
  }

  /** The same, set up: a card in it, and a code on the screen. */
  static async ready(desk, lab, card, options) {
    const app = await App.of(desk, lab, card, options);
    await app.activate(await app.halves());
    await app.choosePin();
    await app.addCard();
    return app;
  }

  constructor(desk, lab, card, page) {
    Object.assign(this, { desk, lab, card, page, url: `${lab.bank(card.bank).app}/` });
  }

  async opened() {
    await this.page.clock.setSystemTime(await this.lab.now());
    await this.page.goto(this.url);
    await this.page.locator("#screen[data-screen]").waitFor();
    return this;
  }

  get(selector, options) {
    return this.page.locator(selector, options);
  }

  screen(name) {
    return this.get(`#screen[data-screen="${name}"]`).waitFor();
  }

  /** Both halves of a code, as the ATM prints and the SMS brings them. */
  async halves() {
    const { receipt, sms } = await this.lab.activation(this.card);
    for (const half of [receipt, sms]) this.lab.pins.add(half);
    return { receipt, sms };
  }

  /** The same, from somebody at the ATM's page. */
  async halvesAtTheAtm() {
    const { lab, card } = this;
    let receipt;
    const sms = await textDuring(lab, card, async () => {
      const customer = await Customer.at(this.desk, lab, "atm");
      await customer.enter(card);
      await customer.option("فعال‌سازی برنامه‌ی رمزنگار").first().click();
      await customer.screen("done");
      receipt = await customer.get("receipt-code").getAttribute("data-digits");
      await customer.page.close();
    });
    const other = /(?<!\d)\d{8}(?!\d)/.exec(sms.text)[0];
    for (const half of [receipt, other]) lab.pins.add(half);
    return { receipt, sms: other };
  }

  async activate({ receipt, sms }) {
    await this.screen("activate");
    await this.get("#receipt").fill(receipt);
    await this.get("#sms").fill(sms);
    await this.get("button[type=submit]").click();
    await this.screen("pin");
  }

  /** On the keys of the app, and ends with the one below. */
  async typePin(pin) {
    const digits = this.get(".pinpad .digit:not(.plain)");
    // 1 to 9, and then 0.
    for (const digit of pin) await digits.nth((Number(digit) + 9) % 10).click();
    await this.get(".pinpad .act").click();
  }

  async choosePin(pin = APP_PIN) {
    await this.screen("pin");
    await this.typePin(pin);
    await this.typePin(pin);
    await this.get(".remember .picture").waitFor();
    const picture = await this.get(".remember .picture").getAttribute("data-picture");
    await this.get("main .act").click();
    return picture;
  }

  async typeCard({ pan, expiry } = this.card) {
    await this.screen("card");
    await this.get("#pan").pressSequentially(pan);
    await this.get("#month").fill(expiry.slice(2));
    await this.get("#year").fill(expiry.slice(0, 2));
    await this.get("button[type=submit]").click();
  }

  async addCard(card = this.card) {
    await this.typeCard(card);
    await this.screen("codes");
    await this.get("[data-code]:not(:empty)").waitFor();
  }

  async unlock(pin = APP_PIN) {
    await this.screen("unlock");
    await this.typePin(pin);
    await this.screen("codes");
  }

  /** With a wrong PIN, whose picture is another than this: one in 128 has the same. */
  async unlockWrongly(picture) {
    for (let by = 1; ; by++) {
      await this.unlock(otherThan(APP_PIN, by));
      if ((await this.picture()) !== picture) return;
      await this.lock();
    }
  }

  async lock() {
    await this.get("#top button").last().click();
    await this.screen("unlock");
  }

  picture() {
    return this.get("#top .picture").getAttribute("data-picture");
  }

  /** All that the app is made of is on the phone. */
  kept() {
    return this.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  }

  /** It was out of sight for a moment. */
  seenAgain() {
    return this.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
  }

  /** What the clock shows, both of the bank and on the phone. */
  async later(seconds) {
    await this.lab.advance(seconds);
    await this.page.clock.setSystemTime(await this.lab.now());
  }

  /** A code of a minute in which none was used: as it stands on the screen. */
  async code({ slot = "second", step = 0 } = {}) {
    await this.get(`.slots [data-choice="${slot}"]`).click();
    const place = this.get("[data-code]:not(:empty)");
    if (step > 0 || (await this.get('.chips [data-choice="step-0"]').getAttribute("aria-checked")) === "false") await this.get(`.chips [data-choice="step-${step}"]`).click();
    // Of the chosen ceiling, and of the minute that goes: another ceiling's code would be another code without a new minute.
    const before = await place.getAttribute("data-code");
    await this.later(STEP_S);
    await this.page.waitForFunction((before) => {
      const shown = document.querySelector("[data-code]")?.dataset.code;
      return shown && shown !== before;
    }, before);
    const code = await place.getAttribute("data-code");
    assert.match(code, /^\d{7,8}$/);
    this.lab.pins.add(code);
    return code;
  }
}
