// From the shop's window to the payment page, and back when the payer changes their mind.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

/** Takes these goods and goes to the till: the page, or frame, shows the payment page then. */
export async function buy(page, goods) {
  for (const id of goods) await page.locator(`form.buy:has(input[value=${id}]) button[value=add]`).click();
  await page.locator("button.pay").click();
  await page.locator("#pan").waitFor();
}

export const tests = {
  async "goods go into the basket, and the page asks for their price in figures and in words"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.shop);
    assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
    await buy(page, ["saffron", "tea", "tea"]);
    assert.equal(new URL(page.url()).origin, lab.gateway);
    assert.equal(await page.locator("#amount").textContent(), "۱٬۷۵۰٬۰۰۰");
    assert.equal(await page.locator("#amount").getAttribute("value"), "1750000");
    assert.equal(await page.locator("#amount-words").textContent(), "یک میلیون و هفتصد و پنجاه هزار ریال");
    assert.match(await page.locator(".toman").textContent(), /یکصد و هفتاد و پنج هزار تومان|صد و هفتاد و پنج هزار تومان/);
    assert.equal(await page.locator("#payee").textContent(), lab.known.asker.merchant_name);
    assert.match(await page.locator("#pay").textContent(), /۱٬۷۵۰٬۰۰۰/);
    await page.locator("#lang").click();
    await page.locator("html[lang=en][dir=ltr]").waitFor({ state: "attached" });
    assert.equal(await page.locator("#amount").textContent(), "1,750,000");
    assert.equal(await page.locator("#amount-words").textContent(), "one million seven hundred fifty thousand rials");
  },

  async "one taken out again is not paid for"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    for (const what of ["add", "add", "remove"]) {
      await page.locator(`form.buy:has(input[value=tea]) button[value=${what}]`).click();
    }
    assert.equal(await page.locator("output").textContent(), "1");
    await buy(page, []);
    assert.equal(await page.locator("#amount").getAttribute("value"), "250000");
  },

  async "a gift card costs what is typed, in Persian digits too"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.shop);
    await page.locator("#amount").fill("۵٬۴۳۲٬۱۰۰");
    await page.locator(".gift button").click();
    await page.locator("#pan").waitFor();
    assert.equal(await page.locator("#amount").getAttribute("value"), "5432100");
  },

  async "who cancels is back at the shop, and nothing is paid"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    await buy(page, ["hafez"]);
    await new Payer(page, lab).ready();
    const asked = [];
    page.once("dialog", (dialog) => {
      asked.push(dialog.message());
      dialog.accept();
    });
    await page.locator("#cancel").click();
    await page.waitForURL(`${lab.shop}/paid?payment=*`);
    assert.equal(asked.length, 1, "it asks before it gives up");
    assert.equal(await page.locator("h1").textContent(), "Not paid");
    assert.match(await page.locator("article").innerText(), /680,000/);
  },

  async "the shop asks the gateway and not the address whether it was paid"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.shop}/?lang=en`);
    await buy(page, ["tea"]);
    const payment = new URL(page.url()).pathname.split("/").pop();
    await page.goto(`${lab.shop}/paid?payment=${payment}`);
    assert.equal(await page.locator("h1").textContent(), "Not paid yet");
    desk.expect("404");
    await page.goto(`${lab.shop}/paid?payment=${"0".repeat(32)}`);
    assert.equal(await page.locator("h1").textContent(), "We do not know this payment");
  },
};
