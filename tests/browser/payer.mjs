// A payer at the payment page: reads it, types, presses.

import assert from "node:assert/strict";

import { until } from "./lab.mjs";

export const persian = (text) => String(text).replace(/[0-9]/g, (d) => String.fromCodePoint(0x6f0 + Number(d)));
export const grouped = (pan) => pan.replace(/(.{4})(?=.)/g, "$1 ");
/** `1250000` → `1,250,000`. */
export const commas = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
/** A PIN of the same length that is not this one. */
export const otherThan = (pin, by = 1) => String((Number(pin) + by) % 10 ** pin.length).padStart(pin.length, "0");

/** A card number from all its digits but the last (Luhn: ISO/IEC 7812-1, annex B). */
export function withCheckDigit(body) {
  const sum = [...body].reverse().reduce((sum, d, i) => sum + (i % 2 ? Number(d) : Number(d) * 2 - (d > "4" ? 9 : 0)), 0);
  return `${body}${(10 - (sum % 10)) % 10}`;
}

export class Payer {
  constructor(page, lab) {
    this.page = page;
    this.lab = lab;
  }

  /** Opens a payment of that amount in a window of this desk. */
  static async of(desk, lab, amount, { lang = "fa", window = {}, about } = {}) {
    return Payer.at(await desk.window(window), lab, amount, lang, about);
  }

  /** The same in a window that is there already. */
  static async at(page, lab, amount, lang, about) {
    const opened = await lab.open(amount, about);
    const payer = Object.assign(new Payer(page, lab), { payment: opened.payment });
    await page.goto(`${opened.page}?lang=${lang}`);
    await payer.ready();
    return payer;
  }

  get(id) {
    return this.page.locator(`#${id}`);
  }

  /** The modules run and the directory of banks is there. */
  async ready() {
    await this.page.waitForFunction(() => /\d|[۰-۹]/.test(document.getElementById("expires")?.textContent ?? ""));
  }

  /** Types the card as it is printed. The fields pass the caret on by themselves. */
  async typeCard({ pan, expiry, cvv2 }) {
    await this.typePan(pan);
    await this.get("expiry-month").fill(expiry.slice(2));
    await this.get("expiry-year").fill(expiry.slice(0, 2));
    await this.get("cvv2").fill(cvv2);
  }

  async typePan(pan) {
    await this.get("pan").fill("");
    await this.get("pan").pressSequentially(grouped(pan));
    assert.equal(await this.get("pan").inputValue(), grouped(pan));
  }

  /** Presses the PIN button and waits until the page says that it asked. */
  async ask() {
    await this.get("request-pin").click();
    await this.get("countdown").waitFor();
    return this.note();
  }

  /** Asks, and reads the SMS. */
  async pin(card) {
    return (await this.lab.smsDuring(card, () => this.ask())).code;
  }

  note() {
    return this.get("pin-note").textContent();
  }

  async pay(pin) {
    await this.get("pin").fill(pin);
    await this.get("pay").click();
  }

  /** Pays with this PIN and reads what the page answers: what is wrong, and its code. */
  async refused(pin) {
    const problem = this.get("problem");
    await problem.evaluate((box) => delete box.dataset.code);
    await this.pay(pin);
    await this.page.waitForFunction(() => document.getElementById("problem").dataset.code !== undefined);
    await this.page.waitForFunction(() => !document.getElementById("pay").disabled);
    assert.ok(await problem.isVisible());
    assert.equal(await this.get("pin").inputValue(), "", "a refused PIN does not stay in its field");
    return { code: await problem.getAttribute("data-code"), text: await problem.innerText() };
  }

  /** Waits for the success page and reads its receipt. */
  async receipt() {
    await this.page.locator('#result[data-state="paid"]').waitFor();
    return this.page.evaluate(() => {
      const rows = [...document.querySelectorAll("#result .facts div")];
      return Object.fromEntries(rows.map((row) => [row.querySelector("dt").textContent, row.querySelector("dd").textContent]));
    });
  }

  /** How the payment ended for the shop. */
  state() {
    return until("an end of the payment", async () => {
      const told = await this.lab.payment(this.payment);
      return told.state !== "authorising" && told;
    });
  }
}

/** Pays a basket with a code. */
export async function paid(desk, lab, card, code, amount = 2_500_000) {
  const payer = await Payer.of(desk, lab, amount);
  await payer.typeCard(card);
  lab.pins.add(code);
  await payer.pay(code);
  await payer.receipt();
  assert.equal((await payer.state()).state, "paid");
}

/** Tries to, and says what the page answers. */
export async function refusal(desk, lab, card, code, amount = 2_500_000) {
  const payer = await Payer.of(desk, lab, amount);
  await payer.typeCard(card);
  lab.pins.add(code);
  return payer.refused(code);
}
