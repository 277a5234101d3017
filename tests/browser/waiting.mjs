// Two minutes: the countdown, what survives a reload, and what a PIN is worth after them.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

const left = async (payer) => {
  const [, m, s] = /(\d):(\d\d)/.exec(await payer.get("countdown").textContent());
  return Number(m) * 60 + Number(s);
};

export const tests = {
  async "the countdown survives a reload, and another card may ask at once"(desk, lab) {
    const [card, other] = [lab.card("melli", 3), lab.card("mellat", 3)];
    const payer = await Payer.of(desk, lab, 140_000, { lang: "en" });
    await payer.typeCard(card);
    await payer.pin(card);
    const before = await left(payer);
    assert.ok(before > 60 && before <= 120);
    assert.ok(await payer.get("request-pin").isDisabled());
    await payer.page.reload();
    await payer.ready();
    await payer.get("countdown").waitFor();
    const after = await left(payer);
    assert.ok(after > 0 && after <= before, `${before} s before the reload, ${after} s after it`);
    await payer.typeCard(card);
    assert.ok(await payer.get("request-pin").isDisabled(), "the same card waits");
    assert.ok(await payer.get("countdown").isVisible());
    await payer.typeCard(other);
    assert.ok(await payer.get("request-pin").isEnabled(), "another card may ask");
    assert.ok(!(await payer.get("countdown").isVisible()));
    await payer.pin(other);
    await payer.typeCard(card);
    assert.ok(await payer.get("request-pin").isDisabled(), "each card waits for itself");
  },

  async "after 121 seconds the PIN is refused as stale, and a new one may be asked for"(desk, lab) {
    const card = lab.card("mellat", 3);
    const before = await lab.balance(card);
    const payer = await Payer.of(desk, lab, 150_000, { lang: "en" });
    await payer.typeCard(card);
    const old = await payer.pin(card);
    await lab.advance(121);
    const no = await payer.refused(old);
    assert.equal(no.code, "55");
    assert.match(no.text, /no longer valid/);
    // The lab moved its servers' clock, not the browser's: a page that is loaded anew hears the time.
    await payer.page.reload();
    await payer.ready();
    assert.ok(!(await payer.get("countdown").isVisible()), "the wait is over by the server's time");
    await payer.typeCard(card);
    assert.ok(await payer.get("request-pin").isEnabled());
    const fresh = await payer.pin(card);
    assert.notEqual(fresh, old);
    await payer.pay(fresh);
    await payer.receipt();
    assert.equal(before - (await lab.balance(card)), 150_000);
  },

  async "the countdown runs down by the browser's clock and then lets the card ask"(desk, lab) {
    const card = lab.card("melli", 3);
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 160_000, "en");
    await payer.typeCard(card);
    await payer.pin(card);
    // The page hears the server's time now and then. Here it hears nothing.
    desk.expect("429", "Failed to load resource");
    await page.route("**/state", (route) => route.abort());
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
    const from = await left(payer);
    await page.clock.runFor(60_000);
    const later = await left(payer);
    assert.ok(Math.abs(from - later - 60) <= 1, `${from} s, a minute later ${later} s`);
    await page.clock.runFor(later * 1000 - 1500);
    assert.ok((await left(payer)) <= 2);
    assert.ok(await payer.get("request-pin").isDisabled());
    await page.clock.runFor(3000);
    assert.ok(!(await payer.get("countdown").isVisible()));
    assert.ok(await payer.get("request-pin").isEnabled());
    assert.equal(await payer.note(), "You may ask again now.");
    // The servers' clock has not moved: they know better, and the page believes them.
    await page.unroute("**/state");
    await page.clock.resume();
    await payer.ask();
    assert.ok((await left(payer)) > 30);
    assert.ok(await payer.get("request-pin").isDisabled());
  },

  async "a payment page asks five times at most"(desk, lab) {
    const cards = [lab.card("melli", 3), lab.card("melli", 1), lab.card("mellat", 1), lab.card("mellat", 2), lab.card("mellat", 3)];
    const payer = await Payer.of(desk, lab, 170_000, { lang: "en" });
    for (const card of cards) {
      await payer.typeCard(card);
      await payer.pin(card);
    }
    await payer.typeCard(lab.card("melli", 5));
    assert.ok(await payer.get("request-pin").isDisabled());
    await payer.page.reload();
    await payer.ready();
    assert.match(await payer.note(), /asks for no more PINs/);
    await payer.typeCard(lab.card("melli", 5));
    assert.ok(await payer.get("request-pin").isDisabled());
  },

  async "a payment that expires while the bank is asked is over on the page too, once the bank has refused"(desk, lab) {
    const card = lab.card("melli", 3);
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 185_000, "en");
    await payer.typeCard(card);
    await page.route("**/authorise", async (route) => {
      const response = await route.fetch();
      await lab.advance(20 * 60 + 1);
      await page.clock.runFor(20 * 60_000 + 1000);
      await route.fulfill({ response });
    });
    // None was asked for.
    await payer.pay("1234567");
    await page.locator('#result[data-state="expired"]').waitFor();
    assert.ok(!(await payer.get("form").isVisible()));
    // A bank was asked, and a bank may answer no more than that it cannot say.
    assert.match(await payer.get("result").innerText(), /If anything was charged/);
  },

  async "twenty minutes later the payment is over, and the page says so"(desk, lab) {
    const payer = await Payer.of(desk, lab, 180_000, { lang: "en" });
    await lab.advance(20 * 60 + 1);
    await payer.page.reload();
    await payer.page.locator('#result[data-state="expired"]').waitFor();
    assert.ok(!(await payer.get("form").isVisible()));
    assert.match(await payer.get("result").innerText(), /Nothing was charged/);
    assert.equal((await payer.state()).state, "expired");
  },
};
