// The app's settings in somebody's hand: what is switched there is switched at the bank, what the bank refused is told there, and a phone
// that is given up is given up at the bank too.

import assert from "node:assert/strict";

import { look } from "./applooks.mjs";
import { until } from "./lab.mjs";
import { otherThan, paid, refusal } from "./payer.mjs";
import { APP_PIN, App } from "./ramznegar.mjs";

const NEW_PIN = "314159";

/** What is done in the settings, from the codes on. */
class Care {
  constructor(app) {
    this.app = app;
  }

  get(selector, options) {
    return this.app.get(selector, options);
  }

  row(name) {
    return this.get(`[data-choice="${name}"]`);
  }

  async settings() {
    await this.get("#top .round").first().click();
    await this.app.screen("settings");
  }

  /** The settings, and from there a page. */
  async open(name) {
    await this.settings();
    await this.row(name).click();
  }

  /** The page of the first card. */
  async card() {
    await this.open((await this.cards())[0].reference);
    await this.app.screen("cardcare");
  }

  async back(screen) {
    await this.get("#top .round").first().click();
    await this.app.screen(screen);
  }

  /** Yes to what is asked, in a minute whose control code was not used. */
  async agree() {
    await this.app.later(60);
    await this.get("dialog .act").click();
    await this.get("dialog").waitFor({ state: "detached" });
  }

  /** As the bank tells them. */
  cards() {
    return this.app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const phone = await Phone.open();
      await phone.refresh();
      return phone.cards;
    });
  }

  async typePins(...pins) {
    for (const pin of pins) await this.app.typePin(pin);
  }
}

export const tests = {
  async "a ceiling that is set on the card's page is the bank's, and what it stopped is told there in words"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const care = new Care(app);
    await care.card();
    await care.row("second-ceiling").click();
    await care.get('dialog input[value="1"]').check();
    await care.agree();
    assert.equal((await care.cards())[0].second.ceiling, 1);
    await care.back("settings");
    await care.back("codes");
    assert.equal((await refusal(desk, lab, card, await app.code())).code, "61");
    await care.card();
    await care.get(".refusals li", { hasText: "مبلغ از سقف رمز بیشتر بود" }).first().waitFor();
    // First without a control code: whether it is a raise the bank knows.
    desk.expect("403 (Forbidden)");
    await care.row("second-ceiling").click();
    await care.get('dialog input[value="0"]').check();
    await care.agree();
    assert.equal((await care.cards())[0].second.ceiling, 0);
    await care.back("settings");
    await care.back("codes");
    await paid(desk, lab, card, await app.code());
  },

  async "both PINs are switched on the card's page, after a question that may be called off"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    const care = new Care(app);
    await care.card();
    await care.row("first").click();
    await app.page.keyboard.press("Escape");
    await care.get("dialog").waitFor({ state: "detached" });
    assert.equal((await care.cards())[0].first.on, false);
    for (const [slot, on] of [["first", true], ["second", false], ["first", false], ["second", true]]) {
      await care.row(slot).click();
      await care.agree();
      assert.equal((await care.cards())[0][slot].on, on);
      assert.equal(await care.row(slot).getAttribute("aria-checked"), String(on));
      assert.equal(await app.page.evaluate(() => document.activeElement?.dataset.choice), slot, "the focus is where it was");
    }
  },

  async "what waits for the next control code is done in its minute, and not at all once it is called off"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    const care = new Care(app);
    await care.card();
    await care.row("first").click();
    await app.later(await lab.nextMinuteIn());
    await care.agree();
    // This minute's code is used, and most of the minute is left.
    const wait = async () => {
      await care.row("first").click();
      await care.get("dialog .act").click();
      await care.get("dialog .act", { hasText: "ثانیه" }).waitFor();
    };
    const minuteGoesBy = async () => {
      await lab.advance(60);
      await app.page.clock.runFor(60_000);
    };
    await wait();
    await care.get("dialog .quiet").click();
    await minuteGoesBy();
    assert.equal((await care.cards())[0].first.on, true, "called off");
    await care.row("first").click();
    await care.get("dialog .act").click();
    await care.get("dialog").waitFor({ state: "detached" });
    assert.equal((await care.cards())[0].first.on, false);
    await wait();
    await minuteGoesBy();
    await care.get("dialog").waitFor({ state: "detached" });
    assert.equal((await care.cards())[0].first.on, true, "waited for");
  },

  async "the app PIN is changed once the bank has taken the old one, and a wrong one is told and counted"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const care = new Care(app);
    const picture = await app.picture();
    await app.later(60);
    desk.expect("403 (Forbidden)");
    await care.open("changepin");
    await care.typePins(otherThan(APP_PIN), NEW_PIN, NEW_PIN);
    await care.get(".trouble", { hasText: "رمز کنونی را نادرست نوشته‌اید" }).waitFor();
    assert.equal(await app.picture(), picture, "the PIN that opened it is still the one");
    await app.later(60);
    await care.typePins(APP_PIN, NEW_PIN, NEW_PIN);
    await care.get(".remember .picture").waitFor();
    assert.equal(await care.get(".remember .picture").getAttribute("data-picture"), await app.picture());
    await care.get("main .act").click();
    await app.screen("settings");
    await care.row("refusals").click();
    await care.get(".refusals li", { hasText: "رمز برنامه نادرست بود" }).waitFor();
    await care.back("settings");
    await care.back("codes");
    await app.lock();
    await app.unlock(NEW_PIN);
    await paid(desk, lab, card, await app.code());
  },

  async "without a network the PIN is not changed, and the advice is there"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    const care = new Care(app);
    desk.expect("net::ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    await app.kept();
    await app.page.context().setOffline(true);
    await care.open("changepin");
    await care.get(".notice", { hasText: "به اینترنت نیاز دارد" }).waitFor();
    assert.equal(await care.get(".pinpad").count(), 0);
    await care.back("settings");
    for (const page of ["lost", "backup"]) {
      await care.row(page).click();
      await app.screen(page);
      assert.ok((await care.get("main li").count()) >= 3);
      await care.back("settings");
    }
    await app.page.context().setOffline(false);
  },

  async "a clock that the bank has learned too far is told on the card's page and beside the code, and is set right there"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const care = new Care(app);
    // As a row of an older release may have it.
    await app.page.route("**/app/cards", async (route) => {
      const response = await route.fetch();
      const told = await response.json();
      for (const { clock } of told.cards) clock.drift_steps = -2;
      await route.fulfill({ response, json: told });
    });
    await care.card();
    await care.get('[data-notice="sync"]').waitFor();
    await care.row("resync").waitFor();
    await care.back("settings");
    await care.back("codes");
    await app.page.unroute("**/app/cards");
    await care.get('[data-notice="sync"]').waitFor();
    assert.equal(await care.get('[data-notice="clock"]').count(), 0, "nobody's clock is said to be wrong");
    await app.later(60);
    await care.row("resync").click();
    await care.get('[data-notice="sync"]').waitFor({ state: "detached" });
    await paid(desk, lab, card, await app.code());
  },

  async "a change that the bank has seen before may have been done, and a card that it took off goes, after words that say so"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const care = new Care(app);
    desk.expect("409 (Conflict)", "404 (Not Found)");
    await care.card();
    // Somewhere on the way it is delivered twice, and the first answer is lost.
    await app.page.route("**/second-pin", async (route) => {
      await route.fetch();
      await route.continue();
    }, { times: 1 });
    await care.row("second").click();
    await care.get("dialog .act").click();
    await care.get("dialog .trouble", { hasText: "شاید انجام شده باشد" }).waitFor();
    await app.page.keyboard.press("Escape");
    await care.get('[data-choice="second"][aria-checked="false"]').waitFor();
    await lab.service(card, "920000");
    await app.later(60);
    await care.row("second").click();
    await care.get("dialog .act").click();
    await care.get("dialog .trouble", { hasText: "بانک کارت را از این گوشی برداشته است" }).waitFor();
    await app.page.keyboard.press("Escape");
    await app.screen("pin");
  },

  async "a change whose answer is lost may have been done, and the screen shows what the bank has, also if it can be asked later only"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    const care = new Care(app);
    desk.expect("net::ERR_FAILED");
    await care.card();
    const lost = async (on, known) => {
      await app.page.route("**/first-pin", async (route) => {
        await route.fetch();
        await route.abort();
      }, { times: 1 });
      await care.row("first").click();
      await app.later(60);
      await care.get("dialog .act").click();
      await care.get("dialog .trouble", { hasText: "شاید انجام شده باشد" }).waitFor();
      await app.page.keyboard.press("Escape");
      await known();
      await care.get(`[data-choice="first"][aria-checked="${on}"]`).waitFor();
    };
    await lost(true, () => {});
    const silent = (route) => route.abort();
    await app.page.route("**/app/cards", silent);
    const asked = app.page.waitForEvent("requestfailed", (request) => request.url().endsWith("/app/cards"));
    await lost(false, async () => {
      await asked;
      await app.page.unroute("**/app/cards", silent);
      assert.equal(await care.row("first").getAttribute("aria-checked"), "true", "nothing is known yet");
      await app.page.evaluate(() => dispatchEvent(new Event("online")));
    });
  },

  async "a phone is named and taken off from another, and its codes pay no more"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const lost = await App.ready(desk, lab, card);
    const kept = await App.ready(desk, lab, card);
    const care = new Care(kept);
    await paid(desk, lab, card, await lost.code());
    await care.open("devices");
    const other = care.get(".devices > li", { hasNot: kept.page.locator(".badge") });
    await other.locator('[data-choice^="rename"]').first().click();
    await care.get("#device-name").fill("گوشی گم‌شده");
    await care.get("dialog .act").click();
    await care.get(".devices b", { hasText: "گوشی گم‌شده" }).waitFor();
    await care.get(".devices > li", { hasText: "گوشی گم‌شده" }).locator('[data-choice^="removeDevice"]').click();
    await care.get("dialog .act").click();
    await care.get(".devices b", { hasText: "گوشی گم‌شده" }).waitFor({ state: "detached" });
    desk.expect("401 (Unauthorized)");
    assert.equal((await refusal(desk, lab, card, await lost.code())).code, "55");
    // Whoever has it sees that it is off, wherever he is in the app.
    await new Care(lost).open("devices");
    await lost.screen("revoked");
  },

  async "a card is taken off on its page, and of the last one nothing is left to open"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    const care = new Care(app);
    await care.card();
    await care.row("remove").click();
    await care.get("dialog .danger").click();
    await app.screen("pin");
    assert.deepEqual(await care.cards(), []);
  },

  async "a phone that is erased is taken off at the bank first, and keeps nothing"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const other = await App.ready(desk, lab, card);
    const care = new Care(app);
    await care.open("erase");
    await care.row("erase").click();
    await care.get("dialog .danger").click();
    await app.screen("activate");
    const kept = await app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const { stage, cards, fingerprint } = await Phone.open();
      return { stage, cards, fingerprint };
    });
    assert.deepEqual(kept, { stage: "new", cards: [], fingerprint: { on: false } });
    await new Care(other).open("devices");
    await other.get(".devices > li").first().waitFor();
    const withCards = await other.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      return (await (await Phone.open()).devices()).filter(({ cards }) => cards > 0);
    });
    assert.deepEqual(withCards.map(({ this: own }) => own), [true]);
  },

  async "without a network a phone is erased here only, after it has said that the bank is not told"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const care = new Care(app);
    desk.expect("net::ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    await app.kept();
    await app.page.context().setOffline(true);
    await care.open("erase");
    await care.row("erase").click();
    await care.get("dialog .danger").click();
    await care.get("dialog .trouble", { hasText: "بانک پاسخ نداد" }).waitFor();
    await app.page.keyboard.press("Escape");
    await care.row("here").click();
    await care.get("dialog", { hasText: "نزد بانک رمزهای این گوشی معتبر می‌مانند" }).waitFor();
    await care.get("dialog .danger").click();
    await app.screen("activate");
    await app.page.context().setOffline(false);
  },

  async "pictures of the settings in Persian, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "fa");
  },

  async "pictures of the settings in English, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "en");
  },
};

/** One language: every page of the settings, with something refused on it. */
async function walk(desk, lab, lang) {
  const card = lab.card(lab.known.banks[0].id, 1);
  const app = await App.ready(desk, lab, card, { lang });
  const care = new Care(app);
  const see = (screen) => look(desk, app.page, `care-${screen}`, lang);
  assert.equal((await refusal(desk, lab, card, await app.code({ step: 1 }))).code, "61");
  await care.card();
  await care.get(".refusals li").first().waitFor();
  await see("card");
  await care.row("second-ceiling").click();
  await see("ceiling");
  await app.page.keyboard.press("Escape");
  await care.row("remove").click();
  await see("remove");
  await app.page.keyboard.press("Escape");
  await care.back("settings");
  await see("settings");
  for (const page of ["changepin", "refusals", "devices", "lost", "backup", "erase"]) {
    await care.row(page).click();
    await app.screen(page);
    if (page === "devices") await until("the devices", () => care.get(".devices > li").count());
    await see(page);
    await care.back("settings");
  }
}
