// What the bank refuses, and what the payer can still do then.

import assert from "node:assert/strict";

import { otherThan, Payer, withCheckDigit } from "./payer.mjs";

export const tests = {
  async "a wrong PIN is said to be wrong, and the right one works after it"(desk, lab) {
    const card = lab.card("mellat", 2);
    const before = await lab.balance(card);
    const payer = await Payer.of(desk, lab, 520_000);
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    const no = await payer.refused(otherThan(pin));
    assert.equal(no.code, "55");
    assert.match(no.text, /رمز پویا نادرست است/);
    assert.equal(await payer.page.evaluate(() => document.activeElement.id), "pin");
    assert.equal(await lab.balance(card), before);
    await payer.pay(pin);
    await payer.receipt();
    assert.equal(before - (await lab.balance(card)), 520_000);
  },

  async "three wrong PINs lock the card, and then the right one is refused too"(desk, lab) {
    const card = lab.card("melli", 2);
    const before = await lab.balance(card);
    const payer = await Payer.of(desk, lab, 530_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    assert.equal((await payer.refused(otherThan(pin, 1))).code, "55");
    assert.equal((await payer.refused(otherThan(pin, 2))).code, "55");
    const third = await payer.refused(otherThan(pin, 3));
    assert.equal(third.code, "75");
    assert.match(third.text, /locked/);
    const right = await payer.refused(pin);
    assert.deepEqual([right.code, right.text], [third.code, third.text]);
    assert.equal(await lab.balance(card), before);
    assert.equal((await lab.cardNow(card)).state, "locked");
  },

  async "a wrong expiry is told as such and locks nothing"(desk, lab) {
    const card = lab.card("melli", 3);
    const payer = await Payer.of(desk, lab, 540_000, { lang: "en" });
    await payer.typeCard({ ...card, expiry: "1001" });
    const pin = await payer.pin(card);
    const no = await payer.refused(pin);
    assert.equal(no.code, "54");
    assert.match(no.text, /expiry/i);
    await payer.get("expiry-month").fill(card.expiry.slice(2));
    await payer.get("expiry-year").fill(card.expiry.slice(0, 2));
    await payer.pay(pin);
    await payer.receipt();
  },

  async "more than the card holds is refused, and the PIN is spent"(desk, lab) {
    const card = lab.card("mellat", 2);
    const before = await lab.balance(card);
    const payer = await Payer.of(desk, lab, 99_000_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    const no = await payer.refused(pin);
    assert.equal(no.code, "51");
    assert.match(no.text, /not enough/);
    const again = await payer.refused(pin);
    assert.equal(again.code, "55");
    assert.match(again.text, /no longer valid/);
    assert.equal(await lab.balance(card), before);
  },

  async "without a PIN asked for there is nothing to guess"(desk, lab) {
    const card = lab.card("melli", 1);
    const payer = await Payer.of(desk, lab, 550_000, { lang: "en" });
    await payer.typeCard(card);
    for (const guess of ["1234567", "7654321", "0000000", "1111111"]) {
      const no = await payer.refused(guess);
      assert.equal(no.code, "55");
      assert.match(no.text, /no dynamic PIN open/);
    }
    assert.equal((await lab.cardNow(card)).state, "active", "guesses at nothing lock nothing");
  },

  async "what is missing or mistyped is told before anything is sent"(desk, lab) {
    const payer = await Payer.of(desk, lab, 560_000, { lang: "en" });
    const sent = [];
    payer.page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
    await payer.get("pay").click();
    const said = await payer.get("problem").innerText();
    for (const words of [/16 digits/, /month/, /year/, /CVV2/, /PIN/]) assert.match(said, words);
    assert.equal(await payer.page.locator("[aria-invalid=true]").count(), 5);
    assert.equal(await payer.page.evaluate(() => document.activeElement.id), "pan");
    await payer.get("pan").pressSequentially("6104337000000017");
    assert.ok(await payer.get("request-pin").isDisabled(), "a wrong check digit asks nobody");
    // Each of the card's fields must be in shape before a PIN can be asked for.
    const card = lab.card("mellat", 1);
    await payer.typeCard(card);
    assert.ok(await payer.get("request-pin").isEnabled());
    for (const [id, wrong, right] of [["pan", card.pan.slice(1), card.pan], ["expiry-month", "13", card.expiry.slice(2)], ["expiry-year", "1", card.expiry.slice(0, 2)], ["cvv2", "12", card.cvv2]]) {
      await payer.get(id).fill(wrong);
      assert.ok(await payer.get("request-pin").isDisabled(), `${id}: ${wrong}`);
      await payer.get(id).fill(right);
      assert.ok(await payer.get("request-pin").isEnabled(), `${id}: ${right}`);
    }
    await payer.get("pan").fill("6104337000000017");
    await payer.get("pay").click();
    assert.match(await payer.get("problem").innerText(), /number is not right/);
    assert.deepEqual(sent, []);
  },

  async "a bank that is not connected is named, and the payer is told to take another card"(desk, lab) {
    const payer = await Payer.of(desk, lab, 570_000, { lang: "en" });
    desk.expect("404");
    await payer.typeCard({ pan: withCheckDigit("603769700000001"), expiry: "0712", cvv2: "123" });
    await payer.get("request-pin").click();
    await payer.get("problem").filter({ hasText: "not connected" }).waitFor();
    assert.equal(await payer.get("bank-name").textContent(), "Bank Saderat Iran");
  },
};
