// With the card in the machine and its first PIN: cash and balance at the ATM, purchases at the POS terminal; and the receipt's QR.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

import { until } from "./lab.mjs";
import { shoot } from "./looks.mjs";
import { commas, otherThan, persian } from "./payer.mjs";
import { ADDRESS, ROWS } from "./qr.mjs";
import { Customer } from "./terminal.mjs";

const rial = (n) => `${persian(commas(n)).replaceAll(",", "٬")} ریال`;

/** Somebody in the shop: its terminal asks for the amount first. */
class Buyer extends Customer {
  static async at(desk, lab, window = {}) {
    const buyer = Object.assign(new Buyer(), await Customer.at(desk, lab, "pos", window));
    await buyer.screen("sale");
    return buyer;
  }

  /** Amount typed, card in: at the PIN. */
  async begin(card, amount) {
    await this.type(String(amount));
    await this.screen("card");
    await this.insert(card);
  }
}

async function atm(desk, lab, card, window) {
  const customer = await Customer.at(desk, lab, "atm", window);
  await customer.enter(card);
  return customer;
}

/** What the receipt says, row by row. */
const receipt = (customer) => customer.get("receipt").evaluate((paper) => Object.fromEntries([...paper.querySelectorAll("dl div")].map((row) => [row.querySelector("dt").textContent, row.querySelector("dd").textContent])));

/** What a camera reads off a picture. */
async function read(desk, png) {
  const jsqr = createRequire(join(process.env.BROWSER_TOOLS, "x.js"))("jsqr");
  const page = await desk.window();
  const { data, width, height } = await page.evaluate(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { width, height } = image;
    const paper = new OffscreenCanvas(width, height).getContext("2d");
    paper.drawImage(image, 0, 0);
    return { data: [...paper.getImageData(0, 0, width, height).data], width, height };
  }, `data:image/png;base64,${png.toString("base64")}`);
  return (jsqr.default ?? jsqr)(Uint8ClampedArray.from(data), width, height)?.data;
}

export const tests = {
  async "cash comes from the ATM with the first PIN: debited once, on the receipt and in the trace"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const [before, seq] = [await lab.balance(card), await lab.lastSeq()];
    const customer = await atm(desk, lab, card);
    await customer.option("برداشت وجه").click();
    await customer.screen("amount");
    await customer.option(rial(2_000_000)).click();
    await customer.screen("done");
    assert.match(await customer.text(), /پول و رسید خود را بردارید/);
    assert.equal(before - (await lab.balance(card)), 2_000_000);
    const rows = await receipt(customer);
    assert.equal(rows["مبلغ"], rial(2_000_000));
    assert.equal(rows["خدمت"], "برداشت وجه");
    assert.match(rows["شماره‌ی مرجع"], /^[۰-۹]{12}$/);
    const titles = (await lab.trace(seq)).map(({ title }) => title);
    for (const title of ["0200 withdrawal", "0210 withdrawal 00"]) assert.ok(titles.includes(title), `no ${title} in the trace`);
    assert.ok(!titles.some((title) => title.includes("reversal")), "nothing is reversed");
  },

  async "a double click, and a key that is held down, choose once: no money by accident"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const before = await lab.balance(card);
    const customer = await atm(desk, lab, card);
    await customer.option("برداشت وجه").dblclick();
    await customer.screen("amount");
    // By then a second choice would have been answered.
    await customer.page.waitForTimeout(800);
    await customer.screen("amount");
    await customer.option("خدمت دیگر").click();
    await customer.page.locator("#options button:enabled").first().waitFor();
    const { keyboard } = customer.page;
    // Held: the driver sends the second one and the third as a repeat.
    for (let n = 0; n < 3; n += 1) {
      await keyboard.down("1");
      await customer.page.waitForTimeout(500);
    }
    await keyboard.up("1");
    await customer.screen("amount");
    assert.equal(await lab.balance(card), before);
  },

  async "an answer that is lost on its way is not said to be nothing: look at the balance first"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    for (const [lang, cash, said] of [["fa", "برداشت وجه", /معلوم نیست.*موجودی/], ["en", "Withdraw cash", /not known.*balance/]]) {
      const before = await lab.balance(card);
      const customer = await atm(desk, lab, card, { lang });
      desk.expect("Failed to load resource", "ERR_FAILED");
      await customer.page.route("**/terminal/payments", async (route) => {
        await route.fetch();
        await route.abort();
      });
      await customer.option(cash).click();
      await customer.screen("amount");
      await customer.page.locator("#options button").first().click();
      await customer.screen("silent");
      assert.match(await customer.text(), said);
      assert.equal(before - (await lab.balance(card)), 500_000, "it was taken");
    }
  },

  async "an amount of one's own must be notes, and not too many"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const before = await lab.balance(card);
    const customer = await atm(desk, lab, card);
    await customer.option("برداشت وجه").click();
    await customer.option("مبلغ دیگر").click();
    await customer.screen("own");
    for (const wrong of ["750000", "20500000", "1"]) {
      await customer.type(wrong);
      assert.match(await customer.text(), /مضرب/);
      assert.equal(await customer.get("entry-dots").textContent(), "");
    }
    for (const digit of "1500000") await customer.page.locator(`#pad [data-key="${digit}"]`).click();
    assert.equal(await customer.get("entry-dots").textContent(), rial(1_500_000));
    await customer.page.locator('#pad [data-key="enter"]').click();
    await customer.screen("done");
    assert.equal(before - (await lab.balance(card)), 1_500_000);
  },

  async "the ATM says what is on the card, and more than that is refused with words"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 2);
    const customer = await atm(desk, lab, card);
    await customer.option("موجودی").click();
    await customer.screen("done");
    const has = await lab.balance(card);
    assert.ok(has < 20_000_000, "the card has less than the ATM gives");
    assert.ok((await customer.text()).includes(rial(has)), await customer.text());
    assert.equal((await receipt(customer))["موجودی"], rial(has));
    await customer.option("خدمت دیگر").click();
    await customer.option("برداشت وجه").click();
    await customer.option("مبلغ دیگر").click();
    await customer.type("20000000");
    await customer.screen("refused");
    assert.equal(await customer.text(), "موجودی کارت کافی نیست.");
    assert.equal(await lab.balance(card), has);
  },

  async "a purchase at the POS terminal: amount, card, PIN; and the next one"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const before = await lab.balance(card);
    const buyer = await Buyer.at(desk, lab);
    assert.equal(await buyer.get("machine-name").textContent(), "پایانه‌ی فروش");
    await buyer.begin(card, 1_234_000);
    assert.ok((await buyer.text()).includes(rial(1_234_000)), "the customer sees the amount before the PIN");
    await buyer.type(card.static_first_pin);
    await buyer.screen("done");
    assert.equal(await buyer.title(), "پرداخت شد");
    assert.equal(before - (await lab.balance(card)), 1_234_000);
    assert.equal((await receipt(buyer))["مبلغ"], rial(1_234_000));
    await buyer.option("خرید بعدی").click();
    await buyer.screen("sale");
    assert.ok(await buyer.get("eject").isDisabled(), "the card is out");
  },

  async "a wrong PIN at the POS terminal is asked for anew, with the amount kept"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const before = await lab.balance(card);
    const buyer = await Buyer.at(desk, lab);
    await buyer.begin(card, 90_000);
    await buyer.type(otherThan(card.static_first_pin));
    await buyer.page.locator("#screen-text", { hasText: "رمز اول درست نیست" }).waitFor();
    await buyer.screen("pin");
    assert.equal(await lab.balance(card), before);
    await buyer.type(card.static_first_pin);
    await buyer.screen("done");
    assert.equal(before - (await lab.balance(card)), 90_000);
  },

  async "more than is on the card is refused at the POS terminal"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 2);
    const before = await lab.balance(card);
    const buyer = await Buyer.at(desk, lab, { lang: "en" });
    await buyer.begin(card, before + 1);
    await buyer.type(card.static_first_pin);
    await buyer.screen("refused");
    assert.equal(await buyer.text(), "There is not enough on the card.");
    assert.ok(await buyer.get("receipt").isHidden());
    assert.equal(await lab.balance(card), before);
  },

  async "a payment's PIN is in a body and nowhere else, and a page that is told that it was not asked says that nothing was taken"(desk, lab) {
    desk.expect("503");
    const card = lab.card(lab.known.banks[1].id, 1);
    const buyer = await Buyer.at(desk, lab, { lang: "en" });
    const sent = [];
    buyer.page.on("request", (request) => sent.push([request.url(), request.postData() ?? ""]));
    await buyer.begin(card, 1000);
    await buyer.page.route("**/terminal/payments", (route) => route.fulfill({ status: 503, json: { type: "urn:ramz:problem:issuer-unavailable" } }));
    await buyer.type(card.static_first_pin);
    await buyer.screen("silent");
    assert.match(await buyer.text(), /Nothing was taken/);
    const paid = sent.filter(([url]) => url.endsWith("/terminal/payments"));
    assert.equal(paid.length, 1);
    assert.deepEqual(JSON.parse(paid[0][1]), { pan: card.pan, expiry: card.expiry, pin: card.static_first_pin, payment: "purchase", amount: 1000, terminal: "pos" });
    for (const [url] of sent) assert.ok(!url.includes(card.pan) && !url.includes("pin="), url);
  },

  async "silence is told as what it is: reversed, or not acknowledged yet"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    for (const [reversal, words] of [["acknowledged", /برگشت خورد/], ["pending", /هنوز تأیید نکرده/]]) {
      const buyer = await Buyer.at(desk, lab);
      const told = { response_code: null, reason: "", show: null, refusal: null, rrn: "633100000001", amount: 1000, balance: null, reversal };
      await buyer.page.route("**/terminal/payments", (route) => route.fulfill({ json: told }));
      await buyer.begin(card, 1000);
      await buyer.type(card.static_first_pin);
      await buyer.screen("silent");
      assert.match(await buyer.text(), words);
      assert.ok((await receipt(buyer))["برگشت"], "it is on the receipt");
    }
  },

  async "the receipt of an activation shows where the app is, and a camera reads it"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 3);
    const customer = await atm(desk, lab, card);
    let address;
    // A bank that has not said where its app is gets a sample.
    await customer.page.route("**/terminal/services", async (route) => {
      const told = await (await route.fetch()).json();
      const has = told.app_address != null;
      address = has ? told.app_address : ADDRESS;
      lab.pins.add(told.receipt_half);
      await route.fulfill({ json: has ? told : { ...told, app_address: ADDRESS, qr: ROWS } });
    });
    const before = (await lab.messages(card.phone)).length;
    await customer.option("فعال‌سازی برنامه‌ی رمزنگار").first().click();
    await customer.screen("done");
    const { text } = await until("the other half", async () => (await lab.messages(card.phone))[before]);
    lab.pins.add(/(?<!\d)\d{8}(?!\d)/.exec(text)?.[0]);
    assert.equal(await customer.get("app-address").textContent(), address);
    const [app] = await Promise.all([customer.page.context().waitForEvent("page"), customer.get("app-address").click()]);
    await app.waitForURL((url) => url.href.startsWith(address));
    assert.equal(await app.evaluate(() => window.opener), null, "the app does not know where it was opened");
    await app.close();
    const qr = customer.get("receipt").locator("svg.qr");
    assert.equal(await qr.getAttribute("aria-label"), "نشانی برنامه به صورت QR");
    assert.equal(await read(desk, await qr.screenshot({ animations: "disabled" })), address);
    await shoot(desk, customer.page, "atm-receipt-qr-fa-light");
  },

  async "pictures of cash and purchases"(desk, lab) {
    for (const [lang, dark, bank, n] of [["fa", false, 0, 1], ["en", true, 1, 3]]) {
      const card = lab.card(lab.known.banks[bank].id, n);
      const shot = (page, machine, state) => shoot(desk, page, `${machine}-${state}-${lang}-${dark ? "dark" : "light"}`);
      const customer = await atm(desk, lab, card, { lang, dark });
      await customer.page.locator("#options button").first().click();
      await customer.screen("amount");
      await shot(customer.page, "atm", "amount");
      await customer.page.locator("#options button").first().click();
      await customer.screen("done");
      await shot(customer.page, "atm", "cash");
      const buyer = await Buyer.at(desk, lab, { lang, dark });
      for (const digit of "345000") await buyer.page.locator(`#pad [data-key="${digit}"]`).click();
      await shot(buyer.page, "pos", "sale");
      await buyer.page.locator('#pad [data-key="enter"]').click();
      await buyer.screen("card");
      await shot(buyer.page, "pos", "card");
      await buyer.insert(card);
      await shot(buyer.page, "pos", "pin");
      await buyer.type(otherThan(card.static_first_pin));
      await buyer.page.locator("#screen-text", { hasText: lang === "fa" ? "درست نیست" : "is wrong" }).waitFor();
      await shot(buyer.page, "pos", "wrong");
      await buyer.type(card.static_first_pin);
      await buyer.screen("done");
      await shot(buyer.page, "pos", "paid");
    }
  },
};
