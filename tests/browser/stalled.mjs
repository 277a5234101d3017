// The line between a payer and the gateway: what it loses, delays or makes up is not taken for the bank's word.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

export const tests = {
  async "an answer that never comes is asked for after half a minute"(desk, lab) {
    const card = lab.card("melli", 1);
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 210_000, "en");
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    const done = new Promise((done) => page.route("**/authorise", async (route) => done(await route.fetch())));
    await payer.pay(pin);
    await done;
    assert.ok(await payer.get("pay").isDisabled(), "it waits");
    await page.clock.runFor(31_000);
    await payer.receipt();
  },

  async "a proxy's own error is not the bank's"(desk, lab) {
    desk.expect("504");
    const card = lab.card("melli", 1);
    const payer = await Payer.of(desk, lab, 220_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    await payer.page.route("**/authorise", async (route) => {
      await route.fetch();
      await route.fulfill({ status: 504, json: { message: "upstream timed out" } });
    });
    await payer.pay(pin);
    await payer.receipt();
  },

  async "a page that is left open hears that the time has moved, and that another tab has paid"(desk, lab) {
    const card = lab.card("mellat", 2);
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 230_000, "en");
    await payer.typeCard(card);
    await payer.pin(card);
    assert.ok(await payer.get("request-pin").isDisabled());
    await lab.advance(121);
    await page.clock.runFor(11_000);
    await page.waitForFunction(() => !document.getElementById("request-pin").disabled);
    const other = Object.assign(new Payer(await page.context().newPage(), lab), { payment: payer.payment });
    await other.page.goto(page.url());
    await other.ready();
    await other.typeCard(card);
    const pin = await other.pin(card);
    await other.pay(pin);
    await other.receipt();
    await page.clock.runFor(11_000);
    await payer.receipt();
  },

  async "what was heard before a press does not undo what the press was told"(desk, lab) {
    const [card, other] = [lab.card("melli", 1), lab.card("mellat", 2)];
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 235_000, "en");
    await payer.typeCard(card);
    let [release, heard] = [];
    const [released, fetched] = [new Promise((done) => (release = done)), new Promise((done) => (heard = done))];
    await page.route("**/state", async (route) => {
      const response = await route.fetch();
      heard();
      await released;
      await route.fulfill({ response });
    }, { times: 1 });
    await page.clock.runFor(10_001);
    await fetched;
    await payer.pin(card);
    const late = page.waitForResponse("**/state");
    release();
    await late;
    // The proof that the late answer asks for is used up.
    await payer.typeCard(other);
    await payer.pin(other);
  },

  async "a PIN is pasted with the words around it"(desk, lab) {
    const payer = await Payer.of(desk, lab, 240_000);
    const whole = [
      "بانک ملت\nخرید\nفروشگاه 24\nمبلغ:1,250,000 ریال\nرمز:0472013\nاعتبار:14:31:06\n@localhost #0472013",
      "Bank Mellat\nDynamic PIN, card xx9876\nUp to: 10,000,000 IRR\nPIN: 0472013\nValid until: 14:31:06",
    ];
    for (const [field, text, digits] of [...whole.map((text) => ["pin", text, "0472013"]), ["pin", "رمز پویای شما: ۱۲۳۴۵۶۷۸", "12345678"], ["pan", "شماره کارت: ۶۱۰۴ - ۳۳۷۰ - ۰۰۰۰ - ۰۰۱۶", "6104 3370 0000 0016"]]) {
      await payer.get(field).fill("");
      await payer.page.keyboard.insertText(text);
      assert.equal(await payer.get(field).inputValue(), digits);
    }
  },
};
