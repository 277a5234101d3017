// However it is pressed, a payment is made once.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

const asked = (facts, of) => facts.filter((fact) => fact.to.startsWith(of) && fact.title.startsWith("0200")).length;

export const tests = {
  async "a double click on the button is one authorisation and one debit"(desk, lab) {
    const card = lab.card("melli", 3);
    // A hand's double click, and one that no change of the page can come between.
    const presses = [(pay) => pay.dblclick(), (pay) => pay.evaluate((button) => [button.click(), button.click()])];
    for (const [n, press] of presses.entries()) {
      const payer = await Payer.of(desk, lab, 190_000 + n, { lang: "en" });
      const posts = [];
      payer.page.on("request", (request) => request.url().endsWith("/authorise") && posts.push(request));
      await payer.typeCard(card);
      await payer.get("pin").fill(await payer.pin(card));
      const [before, seq] = [await lab.balance(card), await lab.lastSeq()];
      await press(payer.get("pay"));
      await payer.receipt();
      assert.equal(before - (await lab.balance(card)), 190_000 + n);
      assert.equal(posts.length, 1);
      const facts = await lab.trace(seq);
      assert.deepEqual([asked(facts, "bank"), asked(facts, "card host")], [1, 1]);
    }
  },

  async "a double click on the PIN button is one request and one SMS"(desk, lab) {
    const card = lab.card("melli", 1);
    const payer = await Payer.of(desk, lab, 200_000, { lang: "en" });
    await payer.typeCard(card);
    const posts = [];
    payer.page.on("request", (request) => request.url().endsWith("/pin") && posts.push(request));
    const before = (await lab.messages(card.phone)).length;
    const { code } = await lab.smsDuring(card, () => payer.get("request-pin").dblclick());
    await payer.get("countdown").waitFor();
    await payer.pay(code);
    await payer.receipt();
    assert.equal(posts.length, 1);
    assert.equal((await lab.messages(card.phone)).length, before + 1);
  },

  async "the same payment in two windows, paid in both at once, is debited once"(desk, lab) {
    const card = lab.card("melli", 3);
    desk.expect("409");
    const first = await Payer.of(desk, lab, 210_000, { lang: "en" });
    const page = await first.page.context().newPage();
    await page.goto(first.page.url());
    const second = Object.assign(new Payer(page, lab), { payment: first.payment });
    await second.ready();
    for (const payer of [first, second]) await payer.typeCard(card);
    const pin = await first.pin(card);
    for (const payer of [first, second]) await payer.get("pin").fill(pin);
    const before = await lab.balance(card);
    await Promise.all([first, second].map((payer) => payer.get("pay").click()));
    await Promise.all([first, second].map((payer) => payer.receipt()));
    assert.equal(before - (await lab.balance(card)), 210_000);
    assert.equal((await first.state()).state, "paid");
  },

  async "a page that is loaded while the bank is asked can be paid on when the bank has said no"(desk, lab) {
    const card = lab.card("melli", 3);
    const payer = await Payer.of(desk, lab, 220_000, { lang: "en" });
    // The document was made a moment before the bank's answer came.
    await payer.page.route("**/pay/*?lang=en", async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(/(state&#34;:&#34;|state&quot;:&quot;)open/, "$1authorising");
      assert.match(body, /authorising/);
      await route.fulfill({ response, body });
    });
    await payer.page.reload();
    await payer.ready();
    assert.match(await payer.get("problem").innerText(), /You may try again/);
    await payer.typeCard(card);
    await payer.pay(await payer.pin(card));
    await payer.receipt();
  },

  async "after a failure of the gateway the page asks how the payment stands before it says a word"(desk, lab) {
    const card = lab.card("melli", 3);
    desk.expect("500");
    const payer = await Payer.of(desk, lab, 230_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    // The payment is made, and what says so is lost.
    await payer.page.route("**/authorise", async (route) => {
      await route.fetch();
      await route.fulfill({ status: 500, json: { type: "about:blank/fault", title: "The service failed" } });
    });
    // So is the first answer to how it stands.
    let states = 0;
    await payer.page.route("**/state", async (route) => {
      if ((states += 1) > 2) return route.continue();
      return route.fulfill({ status: 500, json: { type: "about:blank/fault", title: "The service failed" } });
    });
    await payer.pay(pin);
    await payer.receipt();
    assert.ok(states > 2);
    assert.equal((await payer.state()).state, "paid");
  },

  async "a press that came to nothing does not spoil the next one"(desk, lab) {
    const [card, other] = [lab.card("melli", 3), lab.card("mellat", 3)];
    desk.expect("503");
    const payer = await Payer.of(desk, lab, 231_000, { lang: "en" });
    await payer.typeCard(card);
    await payer.page.route("**/pin", async (route) => {
      await route.fetch();
      await route.fulfill({ status: 503, json: { type: "about:blank/bank-unavailable", title: "The bank is away" } });
    }, { times: 1 });
    await lab.smsDuring(card, () => payer.get("request-pin").click());
    await payer.get("problem").filter({ hasText: /./ }).waitFor();
    await payer.typeCard(other);
    await payer.pin(other);
  },
};
