// A PIN is good for the payment it was asked for, and for no other.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

export const tests = {
  async "a PIN for one amount does not pay another, and is void from then on"(desk, lab) {
    const card = lab.card("melli", 1);
    const before = await lab.balance(card);
    const small = await Payer.of(desk, lab, 110_000, { lang: "en" });
    await small.typeCard(card);
    const pin = await small.pin(card);

    const large = await Payer.of(desk, lab, 11_000_000, { lang: "en" });
    await large.typeCard(card);
    const no = await large.refused(pin);
    assert.equal(no.code, "59");
    assert.match(no.text, /another payment/);

    const void_ = await small.refused(pin);
    assert.equal(void_.code, "55");
    assert.match(void_.text, /no longer valid/);
    assert.equal(await lab.balance(card), before, "nothing was charged");

    // The payer can still pay: with a PIN of its own.
    const own = await large.pin(card);
    assert.notEqual(own, pin);
    await large.pay(own);
    await large.receipt();
    assert.equal(before - (await lab.balance(card)), 11_000_000);
  },

  async "a PIN of one card does not pay with another on the same phone"(desk, lab) {
    const [first, second] = [lab.card("mellat", 1), lab.card("mellat", 2)];
    assert.equal(first.phone, second.phone);
    const before = await lab.balance(second);
    const payer = await Payer.of(desk, lab, 120_000, { lang: "en" });
    await payer.typeCard(first);
    const pin = await payer.pin(first);
    await payer.typeCard(second);
    const no = await payer.refused(pin);
    assert.equal(no.code, "55");
    assert.equal(await lab.balance(second), before);
  },
};
