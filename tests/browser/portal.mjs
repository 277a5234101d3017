// The lab's portal: what a newcomer sees first.

import assert from "node:assert/strict";

import { grouped, Payer } from "./payer.mjs";
import { PHONE } from "./chromium.mjs";
import { until } from "./lab.mjs";
import { buy } from "./shop.mjs";

// The browser writes to its clipboard, and pastes from it, after the press that asked for it is over: both are waited for.

/** Presses a button that copies, until the clipboard holds what it copies. */
async function copy(page, button, value) {
  await button.click();
  await page.waitForFunction(async (value) => (await navigator.clipboard.readText()) === value, value);
}

/** Pastes into a field, until it shows that. */
async function paste(page, field, shown) {
  await field.focus();
  await page.keyboard.press("Control+V");
  await until(`${shown} in the field`, async () => (await field.inputValue()) === shown);
}

const lang = (page) => page.evaluate(() => [document.documentElement.lang, document.documentElement.dir].join(" "));

export const tests = {
  async "it opens in Persian, with shop, phone, ATM, cards and trace"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.portal);
    assert.equal(await lang(page), "fa rtl");
    await page.frameLocator("#shop-frame").locator(".good").first().waitFor();
    await page.locator("#phone-number").filter({ hasText: /\d/ }).waitFor();
    assert.ok(await page.locator(".atm").isVisible());
    assert.ok(await page.locator("#trace-live.on").isVisible(), "the trace is not live");
    await page.locator("#deck tr").nth(lab.known.cards.length - 1).waitFor();
    assert.equal(await page.locator("#deck tr").count(), lab.known.cards.length);
    const deck = await page.locator("#deck").innerText();
    for (const { pan } of lab.known.cards) assert.ok(deck.includes(grouped(pan)), `${pan} is not among the cards`);
    assert.match(await page.locator("#clock-time").textContent(), /^[۰-۹]{2}:[۰-۹]{2}:[۰-۹]{2}$/);
  },

  async "it speaks English when asked, and the shop with it, also after a reload"(desk, lab) {
    const page = await desk.window();
    await page.goto(lab.portal);
    await page.locator("#phone-number").filter({ hasText: /\d/ }).waitFor();
    await page.locator("#language").click();
    assert.equal(await lang(page), "en ltr");
    await page.frameLocator("#shop-frame").locator("html[lang=en]").waitFor({ state: "attached" });
    await page.locator("#deck tr").first().waitFor();
    const said = (await page.locator("body").innerText()).replace("فارسی", "");
    assert.equal(/.*[\u0600-\u06ff].*/.exec(said)?.[0], undefined, "Persian is left over");
    await page.reload();
    assert.equal(await lang(page), "en ltr");
    assert.equal(await page.locator("#language").textContent(), "فارسی");
  },

  async "a payment shows on it while it happens: the SMS on the phone, the messages in the trace"(desk, lab) {
    const portal = await desk.window();
    await portal.goto(lab.portal);
    await portal.locator("#trace-live.on").waitFor();
    const card = lab.card("melli", 3);
    const payer = await Payer.of(desk, lab, 310_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    await portal.locator("#inbox .sms .code", { hasText: pin }).waitFor();
    await payer.pay(pin);
    await payer.receipt();
    await portal.locator("#rows li", { hasText: "0210" }).first().waitFor();
    assert.ok(!(await portal.locator("#rows").textContent()).includes(pin), "the trace shows the PIN");
  },

  async "card, shop, page and phone are used side by side, from the basket to the receipt"(desk, lab) {
    const page = await desk.window({ permissions: ["clipboard-read", "clipboard-write"] });
    const card = lab.card("mellat", 2);
    const before = await lab.balance(card);
    await page.goto(`${lab.portal}/?lang=en`);
    await page.locator("#trace-live.on").waitFor();
    await page.locator("#choose button", { hasText: card.pan.slice(-4) }).click();
    await page.locator("#phone-number", { hasText: "0912 000 1101" }).waitFor();
    const shop = page.frameLocator("#shop-frame");
    await buy(shop, ["hafez"]);
    // Copied from the card and pasted into the page, field by field.
    for (const [label, id, value] of [["Card number", "pan", card.pan], ["CVV2", "cvv2", card.cvv2]]) {
      await copy(page, page.locator("#card").getByRole("button", { name: label }), value);
      await paste(page, shop.locator(`#${id}`), id === "pan" ? grouped(value) : value);
    }
    await shop.locator("#expiry-month").fill(card.expiry.slice(2));
    await shop.locator("#expiry-year").fill(card.expiry.slice(0, 2));
    const { code } = await lab.smsDuring(card, () => shop.locator("#request-pin").click());
    await copy(page, page.locator("#inbox .sms .code", { hasText: code }).getByRole("button"), code);
    await paste(page, shop.locator("#pin"), code);
    await shop.locator("#pay").click();
    await shop.locator('#result[data-state="paid"]').waitFor();
    await shop.locator("#back").click();
    await shop.locator("h1", { hasText: "Paid" }).waitFor();
    assert.equal(before - (await lab.balance(card)), 680_000);
    await page.waitForFunction(() => document.querySelectorAll("#steps .done").length === 5);
    await page.locator("#card", { hasText: (before - 680_000).toLocaleString("en") }).waitFor();
  },

  async "on a phone it shows one pane at a time, and nothing sticks out"(desk, lab) {
    const page = await desk.window({ viewport: PHONE });
    await page.goto(lab.portal);
    await page.locator("#tabs [data-go=cards]").waitFor();
    for (const tab of ["shop", "phone", "cards", "trace"]) {
      await page.locator(`#tabs [data-go=${tab}]`).click();
      await page.locator(`[data-pane=${tab}]`).first().waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${tab}: ${wide} px too wide`);
    }
  },
};
