// The lab's portal: what a newcomer sees first.

import assert from "node:assert/strict";

import { grouped, Payer } from "./payer.mjs";
import { PHONE } from "./chromium.mjs";
import { until } from "./lab.mjs";
import { buy } from "./shop.mjs";
import { textDuring } from "./terminal.mjs";

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

  async "after the lab was started anew the phone shows what is on it now, though it is as many messages"(desk, lab) {
    const card = lab.card("melli", 3);
    const { code } = await lab.smsDuring(card, async () => {
      const payer = await Payer.of(desk, lab, 320_000, { lang: "en" });
      await payer.typeCard(card);
      await payer.pin(card);
    });
    const portal = await desk.window();
    await portal.goto(lab.portal);
    await portal.locator("#choose .bankful").nth(lab.known.banks.findIndex(({ id }) => id === "melli")).locator("button", { hasText: card.pan.slice(-4) }).click();
    await portal.locator("#inbox .sms .code", { hasText: code }).waitFor();
    // Another process counts from one again, and may have come as far.
    const at = (received_at) => new Date(Date.parse(received_at) + 60_000).toISOString();
    const anew = (messages) => messages.map((message) => ({ ...message, text: `anew ${message.id}`, received_at: at(message.received_at) }));
    await portal.route("**/handsets/*/messages", async (route) => route.fulfill({ json: anew(await (await route.fetch()).json()) }));
    await portal.route("**/handsets", async (route) => {
      const phones = await (await route.fetch()).json();
      return route.fulfill({ json: phones.map((phone) => (phone.newest ? { ...phone, newest: { ...phone.newest, received_at: at(phone.newest.received_at) } } : phone)) });
    });
    await portal.locator("#inbox .sms", { hasText: "anew" }).first().waitFor();
    assert.equal(await portal.locator("#inbox .sms .code").count(), 0, "the old PIN is still there");
    await portal.unroute("**/handsets");
    await portal.unroute("**/handsets/*/messages");
    await portal.route("**/handsets", (route) => route.fulfill({ json: [] }));
    await portal.route("**/handsets/*/messages", (route) => route.fulfill({ json: [] }));
    await portal.locator("#inbox-none").waitFor();
  },

  async "card, shop, page and phone are used side by side, from the basket to the receipt"(desk, lab) {
    const page = await desk.window({ viewport: { width: 1440, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] });
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
    // The picture in the README.
    await desk.keep(page, "lab");
    await shop.locator("#pay").click();
    await shop.locator('#result[data-state="paid"]').waitFor();
    await shop.locator("#back").click();
    await shop.locator("h1", { hasText: "Paid" }).waitFor();
    assert.equal(before - (await lab.balance(card)), 680_000);
    await page.waitForFunction(() => document.querySelectorAll("#steps .done").length === 5);
    await page.locator("#card", { hasText: (before - 680_000).toLocaleString("en") }).waitFor();
  },

  async "the phone has each bank's app: the real one, at home in its frame, and the bank in the hand comes first"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.portal}/?lang=en`);
    const places = () => page.locator("#home [data-place]").evaluateAll((all) => all.map(({ dataset }) => dataset.place));
    await page.locator("#home [data-place=melli]").waitFor();
    assert.deepEqual(await places(), ["messages", "mellat", "melli"]);
    const melli = lab.card("melli", 2);
    await page.locator("#choose .bankful").nth(1).locator("button", { hasText: melli.pan.slice(-4) }).click();
    assert.deepEqual(await places(), ["messages", "melli", "mellat"]);
    for (const { id, app, name_en } of lab.known.banks) {
      await page.locator(`#home [data-place=${id}]`).click();
      const frame = page.locator(`#app-view iframe[data-bank=${id}]`);
      await frame.waitFor();
      assert.equal(await page.locator("#app-name").textContent(), name_en);
      assert.ok((await page.locator("#app-window").getAttribute("href")).startsWith(app));
      assert.match(await frame.getAttribute("title"), new RegExp(name_en));
      const inside = await (await frame.elementHandle()).contentFrame();
      await inside.waitForURL((url) => url.origin === app);
      // What the app needs, and a frame may lack.
      const able = await inside.evaluate(async () => {
        localStorage.setItem("from-the-frame", "1");
        return [isSecureContext, Boolean(crypto.subtle), (await navigator.serviceWorker.ready).active !== null, ["publickey-credentials-get", "publickey-credentials-create", "clipboard-write", "otp-credentials"].every((one) => document.featurePolicy.allowsFeature(one))];
      });
      assert.deepEqual(able, [true, true, true, true], id);
      const window_ = await page.context().newPage();
      await window_.goto(app);
      assert.equal(await window_.evaluate(() => localStorage.getItem("from-the-frame")), "1", "frame and window are one phone");
      await window_.close();
    }
    // It goes on where it was.
    const mark = page.locator("#app-view iframe[data-bank=melli]");
    await (await (await mark.elementHandle()).contentFrame()).evaluate(() => { window.stillThere = true; });
    await page.locator("#home [data-place=messages]").click();
    await page.locator("#place-messages").waitFor();
    await page.locator("#home [data-place=melli]").click();
    assert.equal(await (await (await mark.elementHandle()).contentFrame()).evaluate(() => window.stillThere), true);
  },

  async "the guide leads from the ATM over the receipt to the app, and a message that comes meanwhile is marked"(desk, lab) {
    const page = await desk.window();
    const card = lab.card("mellat", 2);
    await page.goto(lab.portal);
    await page.locator("#trace-live.on").waitFor();
    await page.locator("#choose .bankful").nth(0).locator("button", { hasText: card.pan.slice(-4) }).click();
    assert.ok(await page.locator("#steps").isVisible());
    await page.locator("#ways [data-way=app]").click();
    assert.ok(await page.locator("#steps-app").isVisible() && !(await page.locator("#steps").isVisible()));
    assert.equal(await page.locator("body").getAttribute("data-next"), "app-atm");
    await page.locator("#home [data-place=mellat]").click();
    assert.equal(await page.locator("#sms-badge").count(), 0);
    const { text } = await textDuring(lab, card, async () => {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ pan: card.pan, pin: card.static_first_pin, service: "900000", terminal: "atm" });
      const told = await (await fetch(`${lab.portal}/terminal/services`, { method: "POST", headers, body })).json();
      lab.pins.add(told.receipt_half);
    });
    const half = /(?<!\d)\d{8}(?!\d)/.exec(text)[0];
    lab.pins.add(half);
    await page.locator("#sms-badge").waitFor();
    await page.locator("#steps-app [data-step=atm].done").waitFor();
    assert.match(await page.locator("#home [data-place=messages]").getAttribute("aria-label"), /پیامک تازه/);
    await page.locator("#home [data-place=messages]").click();
    assert.equal(await page.locator("#sms-badge").count(), 0);
    const sms = page.locator("#inbox .sms").last();
    await sms.locator(".copier", { hasText: half }).waitFor();
    // The text says where the app is, as a phone's does: it opens there.
    await sms.locator("button.link").click();
    await page.locator("#app-view iframe[data-bank=mellat]").waitFor();
    assert.equal(await page.locator("body").getAttribute("data-next"), "app-halves");
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
    // The trace was written while another pane was shown. Its newest row is in sight all the same, and stays when it is opened.
    // (Not waited for: with the next message it would go there anyway.)
    const below = await page.evaluate(async () => {
      for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
      const shown = [...document.querySelectorAll("#rows > li:not([hidden])")];
      return shown.at(-1).getBoundingClientRect().bottom - document.getElementById("roll").getBoundingClientRect().bottom;
    });
    assert.ok(below <= 1, `the newest message is ${below} px further down`);
    const newest = page.locator("#rows > li:visible").last();
    await newest.locator("summary").click();
    await newest.locator(".inside .wire").waitFor();
  },
};
