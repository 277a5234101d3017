// The ATM and the cashless terminal: card, first PIN, menu, receipt; and the phone that texts a short code.

import assert from "node:assert/strict";

import { until } from "./lab.mjs";
import { shoot } from "./looks.mjs";
import { otherThan, persian } from "./payer.mjs";

/** Somebody at a machine. */
export class Customer {
  /** Opens a machine's page. */
  static async at(desk, lab, machine, { lang = "fa", ...window } = {}) {
    const page = await desk.window(window);
    await page.goto(`${lab.portal}/${machine}?lang=${lang}`);
    await page.locator("#cards button").nth(lab.known.cards.length - 1).waitFor();
    return Object.assign(new Customer(), { page, lab });
  }

  get(id) {
    return this.page.locator(`#${id}`);
  }

  screen(state) {
    return this.page.locator(`#screen[data-state="${state}"]`).waitFor();
  }

  /** Both banks have cards with the same last digits: the bank's group tells them apart. */
  async insert({ bank, pan }) {
    const at = this.lab.known.banks.findIndex(({ id }) => id === bank);
    await this.page.locator("#cards .bankful").nth(at).locator("button", { hasText: pan.slice(-4) }).click();
    await this.screen("pin");
  }

  /** Types on the machine's keys, and presses Enter. */
  async type(digits) {
    for (const digit of digits) await this.page.locator(`#pad [data-key="${digit}"]`).click();
    await this.page.locator('#pad [data-key="enter"]').click();
  }

  /** Card in, PIN typed: at the menu. */
  async enter(card, pin = card.static_first_pin) {
    await this.insert(card);
    await this.type(pin);
    await this.screen("menu");
  }

  option(words) {
    return this.page.locator("#options button", { hasText: words });
  }

  title() {
    return this.get("screen-title").textContent();
  }

  text() {
    return this.get("screen-text").textContent();
  }
}

/** The texts that come to the card's phone while `doing`: at least one. */
export async function textDuring(lab, { phone }, doing) {
  const before = (await lab.messages(phone)).length;
  await doing();
  return until("an SMS", async () => (await lab.messages(phone))[before]);
}

export const tests = {
  async "PINs by SMS are activated: card, PIN, menu, the mobile confirmed, and the phone is told"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const customer = await Customer.at(desk, lab, "atm");
    assert.equal(await customer.title(), "خوش آمدید");
    await customer.enter(card);
    assert.equal(await customer.title(), "برداشت، موجودی و خدمات رمز");
    assert.equal(await customer.page.locator("#options button").count(), 10);
    await customer.option("فعال‌سازی رمز پویای پیامکی").first().click();
    await customer.screen("phone");
    const shown = await customer.get("screen-phone").textContent();
    assert.ok(shown.endsWith(persian(card.phone.slice(-4))) || shown.includes(persian(card.phone.slice(-3))), `${shown} is not the card's mobile`);
    assert.ok(!shown.includes(persian(card.phone)) && !shown.includes(card.phone), "the mobile is masked");
    const sms = await textDuring(lab, card, async () => {
      await customer.option("بله، فعال شود").click();
      await customer.screen("done");
    });
    assert.ok(sms.text.length > 0);
    assert.equal(await customer.title(), "انجام شد");
    const facts = await lab.trace();
    for (const title of ["0600 terminal service", "0610 terminal service 00"]) assert.ok(facts.some((fact) => fact.title === title), `no ${title} in the trace`);
    await customer.option("پایان").click();
    await customer.screen("idle");
    assert.ok(await customer.get("eject").isDisabled());
  },

  async "a wrong first PIN is said so, and asked for anew"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 3);
    const customer = await Customer.at(desk, lab, "atm");
    await customer.enter(card, otherThan(card.static_first_pin));
    await customer.option("فعال‌سازی رمز پویای پیامکی").first().click();
    await customer.screen("pin");
    assert.match(await customer.text(), /رمز اول درست نیست/);
    assert.equal(await customer.get("entry-dots").textContent(), "", "what was typed is gone");
    // The right one sets the count back.
    await customer.type(card.static_first_pin);
    await customer.screen("menu");
    await customer.option("فعال‌سازی رمز پویای پیامکی").first().click();
    await customer.screen("phone");
  },

  async "a card without a mobile cannot have PINs by SMS, and the machine says why"(desk, lab) {
    const card = lab.known.cards.find(({ bank, phone }) => bank === lab.known.banks[0].id && !phone);
    const customer = await Customer.at(desk, lab, "atm", { lang: "en" });
    await customer.enter(card);
    await customer.option("Activate PINs by SMS").click();
    await customer.screen("refused");
    assert.equal(await customer.title(), "Not done");
    const why = (await customer.text()).trim();
    assert.ok(why.length > 0);
    assert.doesNotMatch(why, /does not offer/, "the service is there; the mobile is not");
    await customer.option("Another service").click();
    await customer.screen("menu");
  },

  async "the branch's terminal prints half of the activation code, and the other half is texted"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const customer = await Customer.at(desk, lab, "cashless-terminal");
    assert.equal(await customer.get("machine-name").textContent(), "ترمینال شعبه‌ای");
    await customer.enter(card);
    const sms = await textDuring(lab, card, async () => {
      await customer.option("فعال‌سازی برنامه‌ی رمزنگار").first().click();
      await customer.screen("done");
    });
    const half = await customer.get("receipt-code").getAttribute("data-digits");
    assert.match(half, /^\d{8}$/);
    lab.pins.add(half);
    assert.equal(await customer.get("receipt-code").textContent(), persian(half.replace(/(.{4})(?=.)/g, "$1 ")));
    const other = /(?<!\d)\d{8}(?!\d)/.exec(sms.text)?.[0];
    assert.ok(other && other !== half, `no other half in the SMS:\n${sms.text}`);
    lab.pins.add(other);
    assert.ok(!(await customer.get("receipt").textContent()).includes(card.pan), "the receipt shows the card masked");
    await customer.get("eject").click();
    await customer.screen("idle");
    await customer.get("take-receipt").click();
    assert.ok(await customer.get("receipt").isHidden());
  },

  async "everything can be done with the keyboard, and what happens is announced"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 2);
    const customer = await Customer.at(desk, lab, "atm", { lang: "en" });
    const { page } = customer;
    const { keyboard } = page;
    assert.equal(await page.locator(".said").getAttribute("aria-live"), "polite");
    const named = await page.evaluate(() => [...document.querySelectorAll("button, a")].every((one) => (one.ariaLabel || one.textContent).trim().length > 0));
    assert.ok(named, "a key has no name");
    await page.locator("#cards .bankful").first().locator("button").nth(1).focus();
    await keyboard.press("Enter");
    await customer.screen("pin");
    assert.equal(await page.evaluate(() => document.activeElement.id), "screen-title", "the focus goes to the screen");
    await keyboard.type(`9${card.static_first_pin.slice(0, 2)}`);
    await keyboard.press("Backspace");
    // The driver has no Persian layout: what one would send.
    for (const key of persian(card.static_first_pin)) await page.evaluate((key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })), key);
    assert.equal(await customer.get("entry-dots").textContent(), "●".repeat(card.static_first_pin.length));
    assert.match(await customer.get("entry-said").textContent(), /^4 digits typed/);
    await keyboard.press("Enter");
    await customer.screen("menu");
    // A new screen takes no choice at once.
    await page.locator("#options button:enabled").first().waitFor();
    await keyboard.press("4");
    await customer.screen("phone");
    await page.locator("#options button:enabled").first().waitFor();
    await keyboard.press("2");
    await customer.screen("refused");
    await keyboard.press("Escape");
    await customer.screen("idle");
  },

  async "a PIN is in no address, in nothing that the browser keeps, and gone with the card"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 2);
    const customer = await Customer.at(desk, lab, "atm");
    const sent = [];
    customer.page.on("request", (request) => sent.push([request.url(), request.postData() ?? ""]));
    await customer.enter(card);
    await customer.option("فعال‌سازی رمز پویای پیامکی").first().click();
    await customer.screen("phone");
    const asked = sent.filter(([url]) => url.endsWith("/terminal/services"));
    assert.equal(asked.length, 1);
    assert.ok(JSON.parse(asked[0][1]).pin === card.static_first_pin, "it goes out in the body");
    for (const [url] of sent) assert.ok(!url.includes(card.pan) && !url.includes("pin="), url);
    const kept = await customer.page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, location.href, document.body.outerHTML]));
    assert.ok(!kept.includes(card.pan));
    await customer.get("eject").click();
    await customer.screen("idle");
    await customer.page.locator('#pad [data-key="1"]').click();
    assert.ok(await customer.get("entry").isHidden());
  },

  async "the portal leads to the machines with the card in the hand, and its phone texts a short code"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 2);
    const page = await desk.window();
    await page.goto(lab.portal);
    await page.locator("#choose button", { hasText: card.pan.slice(-4) }).first().click();
    for (const id of ["to-atm", "to-cashless", "to-pos"]) assert.match(await page.locator(`#${id}`).getAttribute("href"), /\?card=1$/);
    assert.equal(await page.locator("#compose-to").inputValue(), lab.known.banks[0].short_code);
    const words = persian(card.pan.slice(-4));
    const sent = page.waitForResponse((response) => response.url().endsWith("/messages") && response.request().method() === "POST");
    await page.locator("#compose-text").fill(words);
    await page.keyboard.press("Enter");
    assert.equal((await sent).status(), 202);
    await page.locator("#inbox .sms.out", { hasText: words }).waitFor();
    assert.equal(await page.locator("#compose-text").inputValue(), "");
    assert.ok(await page.locator("#compose-note").isHidden());
  },

  async "pictures of both machines"(desk, lab) {
    // Each card is activated once.
    for (const [machine, lang, dark, bank, n] of [["atm", "fa", false, 1, 1], ["atm", "en", true, 1, 3], ["cashless-terminal", "fa", true, 1, 2], ["cashless-terminal", "en", false, 0, 3]]) {
      const card = lab.card(lab.known.banks[bank].id, n);
      const customer = await Customer.at(desk, lab, machine, { lang, dark });
      const name = (state) => `${machine}-${state}-${lang}-${dark ? "dark" : "light"}`;
      await shoot(desk, customer.page, name("idle"));
      await customer.insert(card);
      await customer.type("123");
      await shoot(desk, customer.page, name("pin"));
      await customer.type(card.static_first_pin);
      await customer.screen("menu");
      await shoot(desk, customer.page, name("menu"));
      await customer.option(lang === "fa" ? "فعال‌سازی رمز پویای پیامکی" : "Activate PINs by SMS").first().click();
      await customer.screen("phone");
      await shoot(desk, customer.page, name("phone"));
      await customer.page.locator("#options button").nth(0).click();
      await customer.screen("done");
      await shoot(desk, customer.page, name("done"));
    }
  },
};
