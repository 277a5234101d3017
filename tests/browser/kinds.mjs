// Every kind of payment, from the shop's services to the receipt: what page, SMS and authorisation say of it, and that its PIN
// is good for nothing else.

import assert from "node:assert/strict";

import { commas, grouped, Payer, persian } from "./payer.mjs";

const masked = ({ pan }) => `${pan.slice(0, 6)} •••••• ${pan.slice(-4)}`;
const inSms = ({ pan }) => `${pan.slice(0, 6)}xxxxxx${pan.slice(-4)}`;

/** Opens a service's form in the shop. */
async function services(desk, lab, lang) {
  const page = await desk.window();
  await page.goto(`${lab.shop}/services?lang=${lang}`);
  return page;
}

/** The payer at the payment page that a form of the shop led to. */
async function payerAt(page, lab, lang) {
  await page.locator("#pan").waitFor();
  const payer = Object.assign(new Payer(page, lab), { payment: new URL(page.url()).pathname.split("/").pop() });
  // The language goes with the payer from the shop to the page.
  await page.locator(`html[lang=${lang}]`).waitFor({ state: "attached" });
  await payer.ready();
  return payer;
}

/** Types card and PIN and pays; returns the lines of the SMS and the receipt. */
async function paid(payer, lab, card, sms) {
  await payer.pay(sms.code);
  const receipt = await payer.receipt();
  const told = await lab.payment(payer.payment);
  assert.equal(told.state, "paid");
  return { receipt, told };
}

/** Goes back to the shop, which confirms the payment at the gateway. */
async function back(payer, lab, title) {
  await payer.get("back").click();
  await payer.page.waitForURL(`${lab.shop}/paid?payment=${payer.payment}`);
  assert.equal(await payer.page.locator("h1").textContent(), title);
  assert.equal((await lab.payment(payer.payment)).verified, true);
}

/** The lines of an SMS, its expiry checked in form and left out. */
function lines({ text, code }, { fa }) {
  const all = text.split("\n");
  assert.equal(all.at(-1), `@localhost #${code}`);
  assert.match(all.at(-2), fa ? /^اعتبار:\d\d:\d\d:\d\d$/ : /^Valid until: \d\d:\d\d:\d\d$/);
  assert.equal(all.at(-3), fa ? `رمز:${code}` : `PIN: ${code}`);
  return all.slice(0, -3);
}

/** The authorisation of the last payment as the card host saw it, and what the page asked the router for. */
async function seen(lab, seq) {
  const facts = await lab.trace(seq);
  const field = (fact, number) => fact.fields.find(([name]) => name.split(" ")[0] === String(number))?.[1];
  const authorisation = facts.findLast((fact) => fact.to === "card host" && fact.title.startsWith("0200"));
  return { field: (number) => field(authorisation, number), asked: facts.find((fact) => fact.title === "POST /v1/pin-requests") };
}

export const tests = {
  async "a transfer asks where to, shows bank and number, and moves the money, in Persian"(desk, lab) {
    const [from, to] = [lab.card("mellat", 1), lab.card("mellat", 3)];
    const [before, beforeTo, seq] = [await lab.balance(from), await lab.balance(to), await lab.lastSeq()];
    const page = await services(desk, lab, "fa");
    await page.locator("#transfer-amount").fill("۱٬۲۳۰٬۰۰۰");
    await page.locator("#transfer button").click();
    const payer = await payerAt(page, lab, "fa");
    assert.equal(await payer.get("to-shown").textContent(), "", "nobody yet");
    await payer.typeCard(from);
    assert.ok(await payer.get("request-pin").isDisabled(), "no destination yet");
    // In Persian digits, and first with a digit too many swapped.
    await payer.get("to-pan").fill(persian(`${to.pan.slice(0, -2)}${to.pan.at(-1)}${to.pan.at(-2)}`));
    assert.match(await payer.get("to-note").textContent(), /درست نیست/);
    assert.ok(await payer.get("request-pin").isDisabled(), "a wrong check digit asks nobody");
    await payer.get("to-pan").fill(persian(to.pan));
    assert.equal(await payer.get("to-pan").inputValue(), grouped(to.pan));
    assert.equal(await payer.get("to-shown").textContent(), persian(masked(to)));
    assert.equal(await payer.get("to-bank").textContent(), "بانک ملت");
    const confirm = (await payer.get("to-confirm").textContent()).replace(/[\u2066\u2069]/g, "");
    assert.equal(confirm, `به کارت ${persian(masked(to))} · بانک ملت`);

    const sms = await lab.smsDuring(from, () => payer.ask());
    assert.deepEqual(lines(sms, { fa: true }), ["بانک ملت", "انتقال وجه", `به کارت ${inSms(to)}`, "مبلغ:1,230,000 ریال"]);
    const { receipt } = await paid(payer, lab, from, sms);
    assert.equal(await payer.get("result-title").textContent(), "انتقال انجام شد");
    assert.equal(receipt["کارت مقصد"], persian(masked(to)));
    assert.equal(receipt["از کارت"], persian(masked(from)));
    assert.equal(receipt["مبلغ"], "۱٬۲۳۰٬۰۰۰ ریال");
    assert.equal(before - (await lab.balance(from)), 1_230_000);
    assert.equal((await lab.balance(to)) - beforeTo, 1_230_000);
    assert.ok(!(await page.content()).includes(to.pan), "the number is gone from the page");
    await back(payer, lab, "انتقال انجام شد");
    const wire = await seen(lab, seq);
    assert.equal(wire.field(3), "400000");
    assert.equal(wire.field(103), `610433****${to.pan.slice(-4)}`, "masked");
    assert.ok(!JSON.stringify(await lab.trace(seq)).includes(to.pan), "the trace shows no destination whole");
  },

  async "a transfer whose destination the merchant names, in English"(desk, lab) {
    const [from, to] = [lab.card("mellat", 3), lab.card("melli", 1)];
    const before = await lab.balance(from);
    const payer = await Payer.of(desk, lab, 640_000, { lang: "en", about: { kind: "transfer", payee_pan: to.pan } });
    // With the destination's own card: its number is right, and it is the card that is wrong.
    desk.expect("400");
    await payer.typeCard(to);
    await payer.get("request-pin").click();
    await payer.page.locator("#problem", { hasText: "This is the destination card" }).waitFor();
    await payer.page.reload();
    await payer.ready();
    assert.equal(await payer.get("to-pan").count(), 0, "nothing to type");
    assert.equal(await payer.get("to-shown").textContent(), masked(to));
    assert.equal(await payer.get("to-bank").textContent(), "Bank Melli Iran");
    assert.ok(!(await payer.page.content()).includes(to.pan));
    await payer.typeCard(from);
    const sms = await lab.smsDuring(from, () => payer.ask());
    assert.deepEqual(lines(sms, {}), ["Bank Mellat", "Transfer", `To card ${inSms(to)}`, "Amount: 640,000 IRR"]);
    const { receipt, told } = await paid(payer, lab, from, sms);
    assert.equal(receipt["To card"], masked(to));
    assert.deepEqual([told.kind, told.payee], ["transfer", `${to.pan.slice(0, 6)}******${to.pan.slice(-4)}`]);
    assert.equal(before - (await lab.balance(from)), 640_000);
  },

  async "a PIN for one destination does not send to another"(desk, lab) {
    const [from, to, thief] = [lab.card("melli", 3), lab.card("melli", 1), lab.card("mellat", 4)];
    const before = await lab.balance(from);
    const about = { kind: "transfer" };
    const payer = await Payer.of(desk, lab, 650_000, { lang: "en", about });
    await payer.typeCard(from);
    await payer.get("to-pan").fill(to.pan);
    const pin = await payer.pin(from);
    await payer.get("to-pan").fill(thief.pan);
    assert.match(await payer.note(), /destination has changed/);
    const no = await payer.refused(pin);
    assert.equal(no.code, "59");
    assert.match(no.text, /another payment/);
    await payer.get("to-pan").fill(to.pan);
    assert.equal((await payer.refused(pin)).code, "55", "void from then on");
    assert.equal(await lab.balance(from), before);
    await payer.get("to-pan").fill(from.pan);
    await payer.get("pin").fill(pin);
    await payer.get("pay").click();
    assert.match(await payer.get("problem").innerText(), /card that pays/);
  },

  async "a bill tells its service and amount by itself, in Persian"(desk, lab) {
    const card = lab.card("mellat", 1);
    const [before, seq] = [await lab.balance(card), await lab.lastSeq()];
    const page = await services(desk, lab, "fa");
    desk.expect("400");
    await page.locator("#bill-id").fill("۴۰۱۲۷۳۵۸۰۴۱۲۲");
    await page.locator("#payment-id").fill("۱۱۵۰۵۰۴۰۳");
    await page.locator("#bill > form button").click();
    assert.match(await page.locator("#bill .wrong").textContent(), /نمی‌خوانند/);
    await page.locator("#payment-id").fill("۱۱۵۰۵۰۴۰۲");
    await page.locator("#bill > form button").click();
    const payer = await payerAt(page, lab, "fa");
    assert.equal(await payer.get("payee").textContent(), "قبض برق");
    assert.equal(await payer.get("amount").getAttribute("value"), "1150000");
    assert.match(await page.locator(".slip .facts").innerText(), new RegExp(persian("40 ••••• 804122")));
    await payer.typeCard(card);
    const sms = await lab.smsDuring(card, () => payer.ask());
    assert.deepEqual(lines(sms, { fa: true }), ["بانک ملت", "پرداخت قبض", "قبض برق 40xxxxx804122", "مبلغ:1,150,000 ریال"]);
    const { receipt } = await paid(payer, lab, card, sms);
    assert.equal(receipt["قبض"], "قبض برق");
    assert.equal(receipt["شناسه قبض"], persian("40 ••••• 804122"));
    assert.equal(before - (await lab.balance(card)), 1_150_000);
    await back(payer, lab, "قبض پرداخت شد");
    const wire = await seen(lab, seq);
    assert.equal(wire.field(3), "500000");
    assert.match(wire.field(48), /03=/);
    assert.match(wire.field(48), /04=/);
  },

  async "a PIN for one bill does not pay another of the same amount, in English"(desk, lab) {
    const card = lab.card("mellat", 3);
    const before = await lab.balance(card);
    const bill = (bill, payment) => ({ kind: "bill", bill: { bill, payment } });
    const phone = await Payer.of(desk, lab, 390_000, { lang: "en", about: bill("1200011030753", "39050633") });
    assert.equal(await phone.get("payee").textContent(), "Mobile bill");
    await phone.typeCard(card);
    const sms = await lab.smsDuring(card, () => phone.ask());
    assert.deepEqual(lines(sms, {}), ["Bank Mellat", "Bill", "Mobile bill 12xxxxx030753", "Amount: 390,000 IRR"]);
    const other = await Payer.of(desk, lab, 390_000, { lang: "en", about: bill("1200022030755", "39050631") });
    await other.typeCard(card);
    const no = await other.refused(sms.code);
    assert.equal(no.code, "59");
    assert.equal(await lab.balance(card), before);
    const own = await lab.smsDuring(card, () => other.ask());
    const { receipt } = await paid(other, lab, card, own);
    assert.equal(receipt["Bill id"], "12 ••••• 030755");
    assert.equal(before - (await lab.balance(card)), 390_000);
  },

  async "credit for a line that is not the cardholder's, in English"(desk, lab) {
    const card = lab.card("mellat", 3);
    const [before, seq] = [await lab.balance(card), await lab.lastSeq()];
    const page = await services(desk, lab, "en");
    await page.locator("#phone").fill("۰۹۳۵ ۱۲۳ ۴۵۶۷");
    await page.locator("#top_up input[value=irancell]").check();
    await page.locator('#top_up input[value="200000"]').check();
    await page.locator("#top_up button").click();
    const payer = await payerAt(page, lab, "en");
    assert.equal(await payer.get("payee").textContent(), "Irancell");
    assert.match(await page.locator(".slip .facts").innerText(), /0935 ••• 4567/);
    await payer.typeCard(card);
    const sms = await lab.smsDuring(card, () => payer.ask());
    assert.deepEqual(lines(sms, {}), ["Bank Mellat", "Top-up", lab.known.asker.merchant_name, "Amount: 200,000 IRR"]);
    const { receipt } = await paid(payer, lab, card, sms);
    assert.deepEqual([receipt.Operator, receipt["Phone number"]], ["Irancell", "0935 ••• 4567"]);
    assert.equal(receipt.Amount, `${commas(200_000)} rial`);
    assert.equal(before - (await lab.balance(card)), 200_000);
    await back(payer, lab, "Credit bought");
    assert.equal((await seen(lab, seq)).field(3), "510000");
    assert.ok(!JSON.stringify(await lab.trace(seq)).includes("9351234567"), "the trace shows no number whole");
  },

  async "credit in Persian, and a PIN for a purchase does not buy it"(desk, lab) {
    const card = lab.card("melli", 1);
    const before = await lab.balance(card);
    const purchase = await Payer.of(desk, lab, 500_000, { lang: "fa" });
    await purchase.typeCard(card);
    const pin = await purchase.pin(card);
    const about = { kind: "top_up", top_up: { phone: "09121234567", operator: "mci" } };
    const payer = await Payer.of(desk, lab, 500_000, { lang: "fa", about });
    assert.equal(await payer.get("payee").textContent(), "همراه اول");
    await payer.typeCard(card);
    assert.equal((await payer.refused(pin)).code, "59");
    assert.equal(await lab.balance(card), before);
    const sms = await lab.smsDuring(card, () => payer.ask());
    assert.deepEqual(lines(sms, { fa: true }), ["بانک ملی ایران", "خرید شارژ", lab.known.asker.merchant_name, "مبلغ:500,000 ریال"]);
    const { receipt } = await paid(payer, lab, card, sms);
    assert.equal(receipt["شماره تلفن"], persian("0912 ••• 4567"));
  },

  async "a balance is told to the payer, once, and to nobody else"(desk, lab) {
    for (const [lang, card, title] of [["fa", lab.card("mellat", 2), "مانده گرفته شد"], ["en", lab.card("melli", 3), "Balance told"]]) {
      const fa = lang === "fa";
      const before = await lab.balance(card);
      const page = await services(desk, lab, lang);
      await page.locator("#balance button").click();
      const payer = await payerAt(page, lab, lang);
      assert.equal(await payer.get("amount").count(), 0, "no amount");
      await payer.typeCard(card);
      const sms = await lab.smsDuring(card, () => payer.ask());
      const bank = lab.bank(card.bank);
      // The words of the SMS are in the card's language.
      const isEnglish = sms.text.includes("PIN: ");
      const expect = isEnglish ? [bank.name_en, "Balance"] : [bank.name, "مانده"];
      assert.deepEqual(lines(sms, { fa: !isEnglish }), [...expect, lab.known.asker.merchant_name]);
      const { receipt, told } = await paid(payer, lab, card, sms);
      const shown = fa ? `${persian(commas(before)).replaceAll(",", "٬")} ریال` : `${commas(before)} rial`;
      assert.equal(receipt[fa ? "مانده قابل برداشت" : "Available"], shown);
      assert.equal(await payer.get("stay").count(), 0, "it does not go away by itself");
      assert.ok(!JSON.stringify(told).includes(String(before)), "the merchant does not hear of it");
      await page.reload();
      const again = await payer.receipt();
      assert.equal(again[fa ? "مانده قابل برداشت" : "Available"], undefined, "once");
      assert.equal(await lab.balance(card), before);
      await back(payer, lab, title);
    }
  },
};
