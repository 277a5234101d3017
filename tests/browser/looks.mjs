// Pictures of every page, in Persian light and dark, in English light, on a phone and on a desk: kept for people to look at. What
// a program can see is checked: nothing sticks out sideways or is cut off, and everything to be touched is large enough.

import { DESKTOP, PHONE } from "./chromium.mjs";
import { grouped, otherThan, Payer } from "./payer.mjs";
import { buy } from "./shop.mjs";

const NARROW = { width: 320, height: 640 };

/** Keeps a page as pictures, and notes what sticks out of it on any screen. */
export async function shoot(desk, page, name) {
  for (const [size, viewport] of Object.entries({ narrow: NARROW, phone: PHONE, desk: DESKTOP })) {
    await page.setViewportSize(viewport);
    const flaws = await page.evaluate(flawsOfDocument);
    desk.problems.push(...flaws.map((flaw) => `${name}, ${viewport.width} px: ${flaw}`));
    if (size !== "narrow") await desk.keep(page, `${name}-${size}`, { fullPage: true });
  }
}

/** Colours are the same in both languages: one of them shows the dark ones. */
export const schemes = (lang) => (lang === "fa" ? ["light", "dark"] : ["light"]);

/** The page in both themes, or in these: a walk is made once for them. */
export async function themes(page, see, wanted = ["light", "dark"]) {
  for (const colorScheme of wanted) {
    await page.emulateMedia({ colorScheme });
    await see(colorScheme);
  }
}

/** Runs in the page: what sticks out, is cut off by a frame that cannot be scrolled, or is too low to be touched. */
function flawsOfDocument() {
  const flaws = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) flaws.push(`${wide} px too wide`);
  for (const element of document.querySelectorAll("a[href], button, input, select")) {
    const own = element.getBoundingClientRect();
    if (!element.checkVisibility() || own.width < 2) continue;
    const name = element.id || element.textContent.trim() || element.name;
    // WCAG 2.5.8, which excepts links within a text.
    if (own.height < 24 && getComputedStyle(element).display !== "inline") flaws.push(`«${name}» is ${Math.round(own.height)} px high: lower than 24`);
    for (let frame = element.parentElement; frame; frame = frame.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(frame);
      const edge = frame.getBoundingClientRect();
      const scrolls = (overflow) => ["auto", "scroll"].includes(overflow);
      if (scrolls(overflowX) || scrolls(overflowY)) break;
      const cut = Math.max(edge.left - own.left, own.right - edge.right);
      if (["hidden", "clip"].includes(overflowX) && cut > 1) {
        flaws.push(`«${name}» is cut off by ${Math.round(cut)} of its ${Math.round(own.width)} px`);
        break;
      }
    }
  }
  return flaws;
}

async function walk(desk, lab, lang, card, goods) {
  const see = (page, screen) => themes(page, (theme) => shoot(desk, page, `${screen}-${lang}-${theme}`), schemes(lang));
  const page = await desk.window();
  await page.goto(`${lab.shop}/?lang=${lang}`);
  await see(page, "shop");
  await buy(page, goods);
  const payer = new Payer(page, lab);
  payer.payment = new URL(page.url()).pathname.split("/").pop();
  await page.locator(`html[lang=${lang}]`).waitFor({ state: "attached" });
  await payer.ready();
  await see(page, "page");
  await payer.get("pay").click();
  await see(page, "page-incomplete");
  await payer.typeCard(card);
  const pin = await payer.pin(card);
  await payer.get("pin").fill(pin);
  await see(page, "page-asked");
  await payer.refused(otherThan(pin));
  await see(page, "refused");
  await payer.pay(pin);
  await payer.receipt();
  await payer.get("stay").click();
  await see(page, "success");
  await page.locator("#back").click();
  await page.waitForURL(`${lab.shop}/paid?payment=*`);
  await see(page, "receipt");

  const portal = await desk.window();
  await portal.goto(`${lab.portal}/?lang=${lang}`);
  await portal.locator("#trace-live.on").waitFor();
  await portal.frameLocator("#shop-frame").locator(".good").first().waitFor();
  await portal.locator("#deck").filter({ hasText: grouped(card.pan) }).waitFor();
  await portal.locator("#rows li:visible").first().waitFor();
  await see(portal, "portal");
  await portal.setViewportSize(PHONE);
  for (const tab of ["phone", "cards", "trace"]) {
    await portal.locator(`#tabs [data-go=${tab}]`).click();
    await themes(portal, (theme) => desk.keep(portal, `portal-${lang}-${theme}-phone-${tab}`), schemes(lang));
  }
  await portal.locator("#tabs [data-go=phone]").click();
  await portal.locator("#home [data-first]").click();
  await portal.locator("#app-view iframe").waitFor();
  await see(portal, "portal-app");
}

export const tests = {
  "every page in Persian, light and dark": (desk, lab) => walk(desk, lab, "fa", lab.card("mellat", 1), ["saffron", "bowl"]),
  "every page in English": (desk, lab) => walk(desk, lab, "en", lab.card("melli", 3), ["tea", "tea"]),

  async "ends that are no success"(desk, lab) {
    desk.expect("404");
    const page = await desk.window();
    await page.goto(`${lab.gateway}/pay/${"0".repeat(32)}`);
    await shoot(desk, page, "missing-fa-light");
    await page.goto(`${lab.shop}/paid?payment=x`);
    await shoot(desk, page, "receipt-unknown-fa-light");
  },
};
