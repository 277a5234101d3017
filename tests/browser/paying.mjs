// Paying for real: the PIN is asked for, comes by SMS, is typed and spent, and everybody agrees on it.

import assert from "node:assert/strict";

import { commas, grouped, Payer, persian } from "./payer.mjs";
import { buy } from "./shop.mjs";

export const tests = {
  async "from the basket to the receipt, in Persian"(desk, lab) {
    const card = lab.card("mellat", 1);
    const [before, seq] = [await lab.balance(card), await lab.lastSeq()];
    const page = await desk.window();
    await page.goto(lab.shop);
    await buy(page, ["saffron"]);
    const payer = new Payer(page, lab);
    payer.payment = new URL(page.url()).pathname.split("/").pop();
    await payer.ready();

    // As a person types it: the number in groups, and the caret goes on by itself.
    assert.ok(await payer.get("request-pin").isDisabled(), "no card yet");
    await payer.get("pan").pressSequentially(grouped(card.pan).slice(0, 7));
    assert.equal(await payer.get("bank-name").textContent(), lab.bank("mellat").name, "the bank is known by six digits");
    await payer.get("pan").pressSequentially(grouped(card.pan).slice(7));
    assert.equal(await payer.get("pan").inputValue(), grouped(card.pan));
    await page.keyboard.type(persian(card.expiry.slice(2) + card.expiry.slice(0, 2) + card.cvv2));
    assert.deepEqual(
      await page.evaluate(() => ["expiry-month", "expiry-year", "cvv2"].map((id) => document.getElementById(id).value)),
      [card.expiry.slice(2), card.expiry.slice(0, 2), card.cvv2],
    );

    const from = await lab.now();
    const sms = await lab.smsDuring(card, () => payer.ask());
    const [, hms] = /اعتبار:(\d\d:\d\d:\d\d)/.exec(sms.text) ?? [];
    assert.match(sms.code, /^\d{7}$/);
    assert.equal(
      sms.text,
      `بانک ملت\nخرید\nفروشگاه نمونه\nمبلغ:1,250,000 ریال\nرمز:${sms.code}\nاعتبار:${hms}\n@localhost #${sms.code}`,
    );
    assert.ok(validFor(hms, from) >= 119 && validFor(hms, from) <= 140, `valid until ${hms}, asked at ${new Date(from).toISOString()}`);
    assert.equal(sms.from, "Bank Mellat");
    assert.match(await payer.get("countdown").textContent(), /[۱۲]:[۰-۹]{2}/);
    assert.ok(await payer.get("request-pin").isDisabled());
    assert.equal(await page.evaluate(() => document.activeElement.id), "pin", "the caret waits where the PIN goes");

    await payer.pay(persian(sms.code));
    const receipt = await payer.receipt();
    const told = await payer.state();
    assert.match(told.rrn, /^\d{12}$/);
    assert.equal(receipt["شماره مرجع"], persian(told.rrn));
    assert.equal(receipt["کارت"], persian("610433 •••••• 0016"));
    assert.equal(receipt["مبلغ"], "۱٬۲۵۰٬۰۰۰ ریال");
    assert.ok(!(await page.content()).includes(card.pan), "the number is gone from the page");

    await page.locator("#back").click();
    await page.waitForURL(`${lab.shop}/paid?payment=${payer.payment}`);
    assert.equal(await page.locator("h1").textContent(), "پرداخت شد");
    assert.match(await page.locator("article").innerText(), new RegExp(persian(told.rrn)));
    const settled = await lab.payment(payer.payment);
    assert.deepEqual([settled.state, settled.verified, settled.amount], ["paid", true, 1_250_000]);
    assert.equal(settled.card.replace(/\D+/, "…"), "610433…0016");
    assert.equal(before - (await lab.balance(card)), 1_250_000, "it was charged once");

    const facts = await lab.trace(seq);
    assert.deepEqual([...new Set(facts.map((fact) => fact.wire))].filter((wire) => ["HTTP", "SMPP", "ISO 8583"].includes(wire)).sort(), ["HTTP", "ISO 8583", "SMPP"]);
    assert.equal(facts.filter((fact) => fact.to === "card host" && fact.title.startsWith("0200")).length, 1);
  },

  async "in English, with a card whose bank writes English"(desk, lab) {
    const card = lab.card("mellat", 3);
    const before = await lab.balance(card);
    const payer = await Payer.of(desk, lab, 1_650_000, { lang: "en" });
    await payer.typeCard(card);
    assert.equal(await payer.get("bank-name").textContent(), "Bank Mellat");
    const { text, code } = await lab.smsDuring(card, () => payer.ask());
    const name = text.split("\n")[2];
    assert.match(text, new RegExp(`^Bank Mellat\nPurchase\n.+\nAmount: 1,650,000 IRR\nPIN: ${code}\nValid until: \\d\\d:\\d\\d:\\d\\d\n@localhost #${code}$`));
    assert.ok(name.length > 0);
    await payer.pay(code);
    const receipt = await payer.receipt();
    assert.equal(receipt.Amount, `${commas(1_650_000)} rial`);
    assert.equal((await payer.state()).state, "paid");
    assert.equal(before - (await lab.balance(card)), 1_650_000);
  },

  async "after a success the page goes back to the shop by itself, unless the payer stays"(desk, lab) {
    const card = lab.card("melli", 3);
    const page = await desk.window();
    await page.clock.install();
    const payer = await Payer.at(page, lab, 410_000, "en");
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    await payer.get("pin").fill(pin);
    // From here on the browser's time stands still.
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 100));
    await payer.get("pay").click();
    await payer.receipt();
    assert.match(await payer.get("back-in").textContent(), /in 5 seconds/);
    await page.reload();
    await payer.receipt();
    assert.ok(!(await payer.get("form").isVisible()), "a paid payment is not paid again after a reload");
    await payer.get("stay").click();
    await page.clock.runFor(20_000);
    assert.ok(await payer.get("back").isVisible(), "who stays is not sent away");
    await page.reload();
    await payer.receipt();
    await page.clock.runFor(6000);
    await page.waitForURL(`${lab.shop}/?payment=${payer.payment}`);
  },

  async "Arabic digits and a pasted number are understood"(desk, lab) {
    const arabic = (text) => text.replace(/[0-9]/g, (d) => String.fromCodePoint(0x660 + Number(d)));
    const card = lab.card("melli", 3);
    const payer = await Payer.of(desk, lab, 430_000, { lang: "en" });
    await payer.get("pan").fill(arabic(card.pan));
    assert.equal(await payer.get("pan").inputValue(), grouped(card.pan));
    await payer.get("expiry-month").fill(arabic(card.expiry.slice(2)));
    await payer.get("expiry-year").fill(arabic(`14${card.expiry.slice(0, 2)}`));
    await payer.get("cvv2").fill(arabic(card.cvv2));
    await payer.pay(arabic(await payer.pin(card)));
    await payer.receipt();
  },
};

/** Seconds from an instant to the next time that Tehran's clocks show `hms`. */
function validFor(hms, from) {
  const shown = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Tehran", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(from);
  const seconds = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return (seconds(hms) - seconds(shown) + 86_400) % 86_400;
}
