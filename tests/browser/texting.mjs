// Without an app: activate at the ATM, text the card's last digits, pay with the PIN that comes back. And small baskets with the
// static PIN, until its total of a day is used up.

import assert from "node:assert/strict";

import { commas, Payer, persian } from "./payer.mjs";
import { Customer, textDuring } from "./terminal.mjs";

const CEILING = 10_000_000;

/** Switches PINs by SMS on at the ATM, as the cardholder does. */
async function activate(desk, lab, card) {
  const customer = await Customer.at(desk, lab, "atm");
  await customer.enter(card);
  await customer.option("فعال‌سازی رمز پویای پیامکی").first().click();
  await customer.screen("phone");
  await customer.option("بله، فعال شود").click();
  await customer.screen("done");
}

/** Pays at the page without asking it for a PIN: the payer has one. */
async function payer(desk, lab, card, amount) {
  const at = await Payer.of(desk, lab, amount);
  await at.typeCard(card);
  return at;
}

export const tests = {
  async "activated at the ATM, four Persian digits bring a PIN, and it pays one basket above the static limit"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    await activate(desk, lab, card);
    const { text, code } = await lab.smsDuring(card, () => lab.text(card, persian(card.pan.slice(-4))));
    assert.equal(code.length, 7);
    assert.ok(text.includes(commas(CEILING)), "the SMS says up to how much");
    const at = await payer(desk, lab, card, 2_500_000);
    await at.pay(code);
    await at.receipt();
    assert.equal((await at.state()).state, "paid");
    const again = await payer(desk, lab, card, 2_500_000);
    assert.equal((await again.refused(code)).code, "55", "once");
  },

  async "a texted PIN does not pay above its ceiling, and the page says why"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 3);
    await activate(desk, lab, card);
    const { code } = await lab.smsDuring(card, () => lab.text(card, `card ${card.pan.slice(-4)} please`));
    const at = await payer(desk, lab, card, CEILING + 1);
    const told = await at.refused(code);
    assert.equal(told.code, "61");
    assert.match(told.text, /سقف این رمز پویا/);
  },

  async "who has not activated it is told how, and a stranger is told nothing"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 3);
    await lab.service(card, "921000");
    // If it was on, its end is told first.
    await new Promise((done) => setTimeout(done, 1500));
    const help = await textDuring(lab, card, () => lab.text(card, card.pan.slice(-4)));
    assert.doesNotMatch(help.text, /^(?:رمز:|PIN: )/m);
    assert.match(help.text, /ATM/);
    const stranger = { ...card, phone: "09350000001" };
    await lab.text(stranger, card.pan.slice(-4));
    await new Promise((done) => setTimeout(done, 1500));
    assert.deepEqual(await lab.messages(stranger.phone), []);
  },

  async "small baskets with the static PIN, until the total of 24 hours is used up; then the page says why"(desk, lab) {
    const card = lab.known.cards.find(({ bank, static_pin_consent: consent }) => bank === lab.known.banks[1].id && consent);
    for (const amount of [600_000, 400_000]) {
      const at = await payer(desk, lab, card, amount);
      await at.pay(card.static_second_pin);
      await at.receipt();
      assert.equal((await at.state()).state, "paid");
    }
    const over = await payer(desk, lab, card, 1_000);
    const told = await over.refused(card.static_second_pin);
    assert.equal(told.code, "61");
    assert.match(told.text, /رمز ایستا/);
    // What the static PIN may not, a dynamic one may: on the same page.
    const pin = await over.pin(card);
    await over.pay(pin);
    await over.receipt();
  },
};
