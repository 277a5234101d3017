// From the shop's window to the payment page, and back when the payer changes their mind.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

/** Takes these goods, then goes to the till. Returns the payment page. */
export async function buy(page, goods) {
  for (const id of goods) await page.locator(`form.buy:has(input[value=${id}]) button[value=add]`).click();
  const opened = page.context().waitForEvent("page");
  await page.locator("button.pay").click();
  const pay = await opened;
  await pay.locator("#pan").waitFor();
  return pay;
}

export const tests = {
  async "goods go into the basket, and the page asks for their price in figures and in words"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.shop);
    assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
    const pay = await buy(page, ["saffron", "tea", "tea"]);
    assert.equal(new URL(pay.url()).origin, lab.gateway);
    assert.equal(await pay.locator("#amount").textContent(), "۱٬۷۵۰٬۰۰۰");
    assert.equal(await pay.locator("#amount").getAttribute("value"), "1750000");
    assert.equal(await pay.locator("#amount-words").textContent(), "یک میلیون و هفتصد و پنجاه هزار ریال");
    assert.match(await pay.locator(".toman").textContent(), /یکصد و هفتاد و پنج هزار تومان|صد و هفتاد و پنج هزار تومان/);
    assert.equal(await pay.locator("#payee").textContent(), lab.known.asker.merchant_name);
    assert.match(await pay.locator("#pay").textContent(), /۱٬۷۵۰٬۰۰۰/);
    await pay.locator("#lang").click();
    await pay.locator("html[lang=en][dir=ltr]").waitFor({ state: "attached" });
    assert.equal(await pay.locator("#amount").textContent(), "1,750,000");
    assert.equal(await pay.locator("#amount-words").textContent(), "one million seven hundred fifty thousand rials");
  },

  async "one taken out again is not paid for"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    for (const what of ["add", "add", "remove"]) {
      await page.locator(`form.buy:has(input[value=tea]) button[value=${what}]`).click();
    }
    assert.equal(await page.locator("output").textContent(), "1");
    const pay = await buy(page, []);
    assert.equal(await pay.locator("#amount").getAttribute("value"), "250000");
  },

  async "a gift card costs what is typed, in Persian digits too"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.shop);
    await page.locator("#amount").fill("۵٬۴۳۲٬۱۰۰");
    const opened = page.context().waitForEvent("page");
    await page.locator(".gift button").click();
    const pay = await opened;
    assert.equal(await pay.locator("#amount").getAttribute("value"), "5432100");
  },

  async "who cancels is back at the shop, and nothing is paid"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    const pay = await buy(page, ["hafez"]);
    await new Payer(pay, lab).ready();
    const asked = [];
    pay.once("dialog", (dialog) => {
      asked.push(dialog.message());
      dialog.accept();
    });
    await pay.locator("#cancel").click();
    await pay.waitForURL(`${lab.shop}/paid?payment=*`);
    assert.equal(asked.length, 1, "it asks before it gives up");
    assert.equal(await pay.locator("h1").textContent(), "Not paid");
    assert.match(await pay.locator("article").innerText(), /680,000/);
  },

  async "the shop asks the gateway and not the address whether it was paid"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    const pay = await buy(page, ["tea"]);
    const payment = new URL(pay.url()).pathname.split("/").pop();
    await page.goto(`${lab.shop}/paid?payment=${payment}`);
    assert.equal(await page.locator("h1").textContent(), "Not paid yet");
    desk.expect("404");
    await page.goto(`${lab.shop}/paid?payment=${"0".repeat(32)}`);
    assert.equal(await page.locator("h1").textContent(), "We do not know this payment");
  },
};
