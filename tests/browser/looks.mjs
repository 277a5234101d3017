// Pictures of every page, in both languages, light and dark, on a phone and on a desk: kept for people to look at. What a
// program can see is checked: nothing sticks out sideways, and everything to be touched is large enough.

import assert from "node:assert/strict";

import { DESKTOP, PHONE } from "./chromium.mjs";
import { grouped, otherThan, Payer } from "./payer.mjs";
import { buy } from "./shop.mjs";

const NARROW = { width: 320, height: 640 };

async function shoot(desk, page, name) {
  for (const [size, viewport] of Object.entries({ narrow: NARROW, phone: PHONE, desk: DESKTOP })) {
    await page.setViewportSize(viewport);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name} is ${wide} px too wide for ${viewport.width} px`);
    if (size !== "narrow") await desk.keep(page, `${name}-${size}`, { fullPage: true });
  }
}

async function touchable(page, name) {
  await page.setViewportSize(PHONE);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("a[href], button, input, select")]
      .filter((element) => element.checkVisibility())
      .map((element) => [element.id || element.textContent.trim(), element.getBoundingClientRect().height])
      .filter(([, height]) => height < 24),
  );
  assert.deepEqual(small, [], `${name}: lower than the 24 px of WCAG 2.5.8`);
}

async function walk(desk, lab, lang, dark, card, amountOf) {
  const name = (page) => `${page}-${lang}-${dark ? "dark" : "light"}`;
  const shop = await desk.window({ dark });
  await shop.goto(`${lab.shop}/?lang=${lang}`);
  await shoot(desk, shop, name("shop"));
  await touchable(shop, name("shop"));
  const page = await buy(shop, amountOf);
  const payer = new Payer(page, lab);
  payer.payment = new URL(page.url()).pathname.split("/").pop();
  if (lang === "en") await page.locator("#lang").click();
  await page.locator(`html[lang=${lang}]`).waitFor({ state: "attached" });
  await payer.ready();
  await shoot(desk, page, name("page"));
  await touchable(page, name("page"));
  await payer.get("pay").click();
  await shoot(desk, page, name("page-incomplete"));
  await payer.typeCard(card);
  const pin = await payer.pin(card);
  await payer.get("pin").fill(pin);
  await shoot(desk, page, name("page-asked"));
  await payer.refused(otherThan(pin));
  await shoot(desk, page, name("refused"));
  await payer.pay(pin);
  await payer.receipt();
  await payer.get("stay").click();
  await shoot(desk, page, name("success"));
  await touchable(page, name("success"));
  await page.locator("#back").click();
  await page.waitForURL(`${lab.shop}/paid?payment=*`);
  await shoot(desk, page, name("receipt"));

  const portal = await desk.window({ dark });
  await portal.goto(`${lab.portal}/?lang=${lang}`);
  await portal.locator("#trace-live.on").waitFor();
  await portal.frameLocator("#shop-frame").locator(".good").first().waitFor();
  await portal.locator("#deck").filter({ hasText: grouped(card.pan) }).waitFor();
  await portal.locator("#rows li").first().waitFor();
  await shoot(desk, portal, name("portal"));
  await portal.setViewportSize(PHONE);
  for (const tab of ["phone", "cards", "trace"]) {
    await portal.locator(`#tabs [data-go=${tab}]`).click();
    await desk.keep(portal, `${name("portal")}-phone-${tab}`);
  }
}

export const tests = {
  "Persian, light": (desk, lab) => walk(desk, lab, "fa", false, lab.card("mellat", 1), ["saffron", "bowl"]),
  "Persian, dark": (desk, lab) => walk(desk, lab, "fa", true, lab.card("melli", 1), ["pistachio"]),
  "English, light": (desk, lab) => walk(desk, lab, "en", false, lab.card("mellat", 3), ["hafez"]),
  "English, dark": (desk, lab) => walk(desk, lab, "en", true, lab.card("melli", 3), ["tea", "tea"]),

  async "ends that are no success"(desk, lab) {
    desk.expect("404");
    const page = await desk.window();
    await page.goto(`${lab.gateway}/pay/${"0".repeat(32)}`);
    await shoot(desk, page, "missing-fa-light");
    await page.goto(`${lab.shop}/paid?payment=x`);
    await shoot(desk, page, "receipt-unknown-fa-light");
  },
};
