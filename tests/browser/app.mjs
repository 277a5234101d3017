// The app in somebody's hand: from the ATM to a paid basket, without a network, at the ATM and in the shop, and what it does when
// something is wrong.

import assert from "node:assert/strict";

import { PHONE } from "./chromium.mjs";
import { finger } from "./holder.mjs";
import { until } from "./lab.mjs";
import { otherThan, paid, persian, refusal } from "./payer.mjs";
import { APP_PIN, App } from "./ramznegar.mjs";
import { Customer } from "./terminal.mjs";

const SCREENS_MAX = 4;
const SECONDS_MAX = 60;

export const tests = {
  async "from the receipt to the first code in four screens and a minute, and the code pays a basket once"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    const halves = await app.halvesAtTheAtm();
    const screens = [];
    await app.page.exposeFunction("screened", (name) => screens.at(-1) !== name && screens.push(name));
    await app.page.evaluate(() => {
      const place = document.getElementById("screen");
      globalThis.screened(place.dataset.screen);
      new MutationObserver(() => globalThis.screened(place.dataset.screen)).observe(place, { attributes: true, attributeFilter: ["data-screen"] });
    });
    const from = performance.now();
    await app.activate(halves);
    await app.choosePin();
    await app.addCard();
    const took = (performance.now() - from) / 1000;
    assert.ok(took < SECONDS_MAX, `${took} s`);
    assert.deepEqual(screens, ["activate", "pin", "card", "codes"]);
    assert.ok(screens.length <= SCREENS_MAX);
    const code = await app.code();
    await paid(desk, lab, card, code);
    assert.equal((await refusal(desk, lab, card, code)).code, "55", "once");
  },

  async "a browser that is too old to time a request by itself has a phone like any other"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    await app.page.addInitScript(() => delete AbortSignal.timeout);
    await app.page.reload();
    await app.activate(await app.halves());
    await app.choosePin();
    await app.addCard();
    await paid(desk, lab, card, await app.code());
  },

  async "the SMS's half is filled in where the browser reads SMS, and its field says what it is to the others"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    assert.equal(await app.get("#sms").getAttribute("autocomplete"), "one-time-code");
    const { receipt, sms } = await app.halves();
    // The line that a browser looks for (WebOTP): it names this page's host.
    const { text } = (await lab.messages(card.phone)).at(-1);
    assert.equal(text.split("\n").at(-1), `@localhost #${sms}`);
    // No browser on a desk reads SMS: what one on a phone would hand over.
    await app.page.addInitScript((code) => {
      globalThis.OTPCredential ??= class {};
      navigator.credentials.get = async ({ otp }) => (otp.transport.includes("sms") ? { code } : null);
    }, sms);
    await app.page.reload();
    await app.get("#sms-note.good").waitFor();
    await app.get("#receipt").fill(receipt);
    await app.get("button[type=submit]").click();
    await app.screen("pin");
  },

  async "a first card whose answer was lost is there when the app was out of sight and the card is added again"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    desk.expect("net::ERR_FAILED");
    await app.activate(await app.halves());
    await app.choosePin();
    await app.page.route("**/app/cards", async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await app.typeCard();
    await app.get(".trouble", { hasText: "بانک پاسخ نداد" }).waitFor();
    await app.seenAgain();
    // With a card in it the bar has the picture and the way back.
    await app.get("#top .picture").waitFor();
    await app.get("button[type=submit]").click();
    await app.screen("codes");
    await paid(desk, lab, card, await app.code());
  },

  async "without a network the app opens and makes codes that pay"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    await app.kept();
    await app.page.context().setOffline(true);
    // What cannot be asked is noted in the console by the browser itself.
    desk.expect("net::ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    await app.page.reload();
    await app.unlock();
    await app.get('[data-notice="offline"]').waitFor();
    await paid(desk, lab, card, await app.code());
    await app.page.context().setOffline(false);
  },

  async "what waits for the next control code is done also if the network comes and goes meanwhile, and what went wrong stays to be read"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    desk.expect("net::ERR_INTERNET_DISCONNECTED", "net::ERR_FAILED");
    const flap = async () => {
      await app.page.context().setOffline(true);
      await app.get('[data-notice="offline"]').waitFor();
      const learned = app.page.waitForResponse("**/app/cards");
      await app.page.context().setOffline(false);
      await app.get('[data-notice="offline"]').waitFor({ state: "detached" });
      await (await learned).finished();
    };
    await app.get('.slots [data-choice="first"]').click();
    await app.later(await lab.nextMinuteIn());
    await app.page.route("**/first-pin", (route) => route.abort(), { times: 1 });
    await app.get(".off .act").click();
    await app.get(".off .trouble", { hasText: "شاید انجام شده باشد" }).waitFor();
    assert.equal(await app.page.evaluate(() => document.activeElement?.dataset.choice), "firstOn");
    await flap();
    await app.get(".off .trouble", { hasText: "شاید انجام شده باشد" }).waitFor({ timeout: 1000 });
    // This minute's code is used, and most of the minute is left.
    await app.get(".off .act").click();
    await app.get(".off .act", { hasText: "ثانیه" }).waitFor();
    await flap();
    await app.get(".off .act", { hasText: "ثانیه" }).waitFor({ timeout: 1000 });
    await lab.advance(60);
    await app.page.clock.runFor(60_000);
    await app.get("[data-code]:not(:empty)").waitFor();
    const on = await app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const phone = await Phone.open();
      await phone.refresh();
      return phone.cards[0].first.on;
    });
    assert.equal(on, true);
  },

  async "the focus on the codes stays where it is when the network comes and goes"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    desk.expect("net::ERR_INTERNET_DISCONNECTED");
    for (const [offline, choice] of [[true, "copy"], [false, "step-0"], [true, "another"], [false, "second"]]) {
      await app.get(`[data-choice="${choice}"]`).focus();
      await app.page.context().setOffline(offline);
      await app.get('[data-notice="offline"]').waitFor({ state: offline ? "attached" : "detached" });
      assert.equal(await app.page.evaluate(() => document.activeElement?.dataset.choice), choice);
    }
  },

  async "the first PIN is made dynamic, and its codes bring cash and pay in the shop"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    await app.get('.slots [data-choice="first"]').click();
    await app.later(60);
    await app.get(".off .act").click();
    await app.get("[data-code]:not(:empty)").waitFor();
    const before = await lab.balance(card);
    const customer = await Customer.at(desk, lab, "atm");
    await customer.enter(card, await app.code({ slot: "first" }));
    await customer.option("برداشت وجه").click();
    await customer.screen("amount");
    await customer.page.locator("#options button").first().click();
    await customer.screen("done");
    const cash = before - (await lab.balance(card));
    assert.ok(cash > 0, "the cash was debited");
    const buyer = await Customer.at(desk, lab, "pos");
    await buyer.screen("sale");
    await buyer.type("90000");
    await buyer.screen("card");
    await buyer.insert(card);
    await buyer.type(await app.code({ slot: "first" }));
    await buyer.screen("done");
    assert.equal(before - (await lab.balance(card)), cash + 90_000);
    assert.equal((await refusal(desk, lab, card, await app.code({ slot: "first" }))).code, "55", "a first PIN is none on the web");
  },

  async "a code pays no more than its ceiling, chosen without a network"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const told = await refusal(desk, lab, card, await app.code({ step: 1 }));
    assert.equal(told.code, "61");
    assert.match(told.text, /سقف این رمز پویا/);
    await paid(desk, lab, card, await app.code());
  },

  async "a wrong app PIN opens with another picture, and its codes are refused and counted"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const picture = await app.picture();
    await app.lock();
    await app.unlockWrongly(picture);
    const told = await refusal(desk, lab, card, await app.code());
    assert.equal(told.code, "55");
    // What the bank counted it tells in the app.
    await app.get(".question .quiet").first().click();
    await app.unlock();
    assert.equal(await app.picture(), picture);
    await until("the refusal in the app", async () => {
      const { refusals } = await app.page.evaluate(async () => {
        const { Phone } = await import("/assets/js/phone.js");
        const phone = await Phone.open();
        await phone.refresh();
        return phone.cards[0];
      });
      return refusals.some(({ why, slot }) => why === "wrong_pin" && slot === "second");
    });
    await paid(desk, lab, card, await app.code());
  },

  async "a finger opens the app, on a phone that can, and a change of the PIN asks for it again"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    await finger(app.page);
    await app.activate(await app.halves());
    await app.choosePin();
    await app.addCard();
    const picture = await app.picture();
    await app.get("#top .round").first().click();
    await app.screen("settings");
    await app.get('[data-choice="finger"]').click();
    await app.get("dialog .act").click();
    await app.get('[data-choice="finger"][aria-checked="true"]').waitFor();
    await app.page.reload();
    await app.screen("unlock");
    await app.get(".pinpad .beside button").click();
    await app.screen("codes");
    assert.equal(await app.picture(), picture);
    assert.equal(await app.get(".question").count(), 0, "a finger does not mistype");
    await paid(desk, lab, card, await app.code());
  },

  async "untouched it locks by itself, also when nothing ran meanwhile, and locked it shows and says no code"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const code = await app.code();
    await app.get("main .act").click();
    // As after a sleep: the clock has gone on, and no timer of the page has run.
    await app.page.clock.setSystemTime((await lab.now()) + 10 * 60_000);
    await app.get("main").click({ position: { x: 2, y: 2 } });
    await app.screen("unlock");
    const { html, said } = await app.page.evaluate(() => ({ html: document.documentElement.outerHTML, said: document.getElementById("said").textContent }));
    for (const form of [code, [...code].join(" "), persian(code), persian([...code].join(" ")), `${code.slice(0, -4)} ${code.slice(-4)}`]) assert.ok(!html.includes(form), "a code is left in the page");
    assert.equal(said, "");
    // And if its clock was set back, nobody knows how long it slept.
    await app.unlock();
    await app.page.clock.setSystemTime((await lab.now()) - 10 * 60_000);
    await app.get("main").click({ position: { x: 2, y: 2 } });
    await app.screen("unlock");
  },

  async "a phone whose clock is set while it shows a code asks the bank for the time, and goes on with codes that pay"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    // What was signed for the time of before.
    desk.expect("401 (Unauthorized)");
    const minutes = app.get('[data-notice="clock"]');
    for (const [by, words] of [[-10, "۱۰ دقیقه عقب"], [10, "۱۰ دقیقه جلو"]]) {
      await lab.advance(60);
      await app.page.clock.setSystemTime((await lab.now()) + by * 60_000);
      await minutes.filter({ hasText: words }).waitFor();
      await paid(desk, lab, card, await app.get("[data-code]:not(:empty)").getAttribute("data-code"));
    }
  },

  async "what is locked while the bank is asked proves nothing for the PIN that is typed next"(desk, lab) {
    const [card, other] = lab.twoOfOnePhone();
    const app = await App.ready(desk, lab, card);
    // In the first minutes, in which a PIN that is known to be right adds a card without a control code.
    await app.page.reload();
    await app.unlock();
    await app.later(60);
    let answer;
    const asked = new Promise((done) => {
      void app.page.route("**/app/cards/*/first-pin", async (route) => {
        done();
        await new Promise((go) => (answer = go));
        await route.continue();
      });
    });
    await app.get('.slots [data-choice="first"]').click();
    await app.get(".off .act").click();
    await asked;
    await app.lock();
    await app.unlock(otherThan(APP_PIN));
    answer();
    await until("the switch at the bank", () => app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const phone = await Phone.open();
      await phone.refresh();
      return phone.cards[0].first.on;
    }));
    // Were it taken for right, a card would go under the mask of a wrong PIN.
    await app.later(60);
    await app.get(".another").click();
    desk.expect("403 (Forbidden)");
    await app.typeCard(other);
    await app.get(".trouble:not([hidden])").waitFor();
    assert.match(await app.get(".trouble:not([hidden])").innerText(), /رمز کنترل/);
  },

  async "a phone without a card begins anew once its first minutes are over"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.of(desk, lab, card);
    await app.activate(await app.halves());
    await app.choosePin();
    // The bank's clock alone: the phone hears of it from the bank.
    await lab.advance(11 * 60);
    // The last: what was asked when the page was loaded, and is answered after the phone was taken off.
    desk.expect("403 (Forbidden)", "401 (Unauthorized)");
    await app.typeCard();
    await app.screen("late");
    await app.page.reload();
    await app.screen("late");
    await app.get("main .act").click();
    await app.activate(await app.halves());
    await app.choosePin();
    await app.addCard();
  },

  async "the browser offers to install it, and its manifest is the bank's"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const app = await App.of(desk, lab, card);
    await app.kept();
    const session = await app.page.context().newCDPSession(app.page);
    const { errors, data } = await session.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    assert.ok(manifest.name.includes(lab.bank(card.bank).name_fa ?? "بانک"), manifest.name);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    // A window without a profile of its own cannot install anything; nothing else may stand in the way.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
  },

  async "a second phone has codes of its own, a third is refused, and what is removed on one makes the other start anew"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const one = await App.ready(desk, lab, card);
    const two = await App.ready(desk, lab, card);
    await paid(desk, lab, card, await one.code());
    await paid(desk, lab, card, await two.code());
    const three = await App.of(desk, lab, card);
    desk.expect("409 (Conflict)", "401 (Unauthorized)", "net::ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    await three.activate(await three.halves());
    await three.choosePin();
    await three.typeCard();
    await three.get(".trouble", { hasText: "دو گوشی" }).waitFor();
    // The second takes the first off.
    await two.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const phone = await Phone.open();
      for (const device of await phone.devices()) if (!device.this && device.cards > 0) await phone.revokeDevice(device.device);
    });
    // Without a network, or it would learn at once that it was taken off.
    await one.page.context().setOffline(true);
    const gone = await one.code();
    assert.equal((await refusal(desk, lab, card, gone)).code, "55");
    await one.page.context().setOffline(false);
    await one.page.reload();
    await one.screen("revoked");
    await one.get("main .act").click();
    await one.screen("activate");
  },

  async "a phone that was taken off shows no code again, after a step in its history or without a network"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    desk.expect("401 (Unauthorized)", "net::ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    await app.kept();
    // A step that can be gone again.
    await app.get("#top .round").first().click();
    await app.screen("settings");
    await app.page.goBack();
    await app.screen("codes");
    await app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      const phone = await Phone.open();
      for (const device of await phone.devices()) if (device.this) await phone.revokeDevice(device.device);
    });
    await app.get('.slots [data-choice="first"]').click();
    await app.later(60);
    await app.get(".off .act").click();
    await app.screen("revoked");
    assert.equal(await app.get("#top .picture").count(), 0, "it is locked");
    await app.page.goForward();
    await app.page.evaluate(() => new Promise((go) => setTimeout(go, 100)));
    assert.equal(await app.get("#screen").getAttribute("data-screen"), "revoked");
    await app.page.context().setOffline(true);
    await app.page.reload();
    await app.screen("revoked");
    await app.page.context().setOffline(false);
    await app.get("main .act").click();
    await app.screen("activate");
  },

  async "a bank that has taken a phone off by a mishap, and knows it again, brings it back"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    desk.expect("401 (Unauthorized)");
    const unknown = { status: 401, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/no-such-device" }) };
    await app.page.route("**/app/cards", (route) => route.fulfill(unknown));
    await app.seenAgain();
    await app.screen("revoked");
    await app.page.unroute("**/app/cards");
    await app.seenAgain();
    await app.unlock();
    await paid(desk, lab, card, await app.code());
  },

  async "a lock that has run out goes from the screen by itself"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    desk.afterwards(() => lab.service(card, "940000"));
    const code = await app.code();
    for (let n = 1; n <= 3; n++) await refusal(desk, lab, card, otherThan(code, n));
    await app.seenAgain();
    await app.get(".off", { hasText: "قفل در" }).waitFor();
    const until = await app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      return Date.parse((await Phone.open()).cards[0].second.locked_until);
    });
    await app.later(Math.ceil((until - (await lab.now())) / 1000) + 1);
    // Untouched: a finger would find the app locked, after so long.
    await paid(desk, lab, card, await app.get("[data-code]:not(:empty)").getAttribute("data-code"));
  },

  async "whoever does not see it hears which PIN is wanted, how many digits there are, and each code once"(desk, lab) {
    const app = await App.of(desk, lab, lab.card(lab.known.banks[0].id, 1), { lang: "en" });
    const pad = (name) => app.page.getByRole("group", { name });
    const count = app.get('.pinpad [role="status"]');
    await app.activate(await app.halves());
    await pad(/^Choose a PIN/).waitFor();
    await app.page.keyboard.type("27");
    assert.equal(await count.textContent(), "2 digits typed");
    await app.page.keyboard.type("1828");
    await app.page.keyboard.press("Enter");
    await pad("The same PIN once more.").waitFor();
    assert.equal(await count.textContent(), "0 digits typed");
    await app.typePin(APP_PIN);
    await app.get("main .act").click();
    await app.addCard();
    // The shell says it; an output would, too.
    assert.equal(await app.get("[data-code]").getAttribute("aria-live"), "off");
    await app.lock();
    await pad("Type your app PIN").waitFor();
    // The picture is asked about where one stands, and not passed over.
    await app.typePin(APP_PIN);
    await app.screen("codes");
    await app.get("#top .picture").waitFor();
    const focused = () => app.page.evaluate(() => {
      const { activeElement } = document;
      const text = document.getElementById(activeElement.getAttribute("aria-describedby"))?.textContent ?? "";
      return { text, picture: document.querySelector("#top .picture").getAttribute("aria-label"), choice: activeElement.dataset.choice };
    });
    const { text, picture } = await focused();
    assert.ok(text.includes(picture), `${picture}: ${text}`);
    await app.page.keyboard.press("Enter");
    assert.equal(await app.get(".question").count(), 0);
    assert.equal((await focused()).choice, "copy");
  },

  async "screens that are gone wait for no offer to install the app"(desk, lab) {
    const app = await App.ready(desk, lab, lab.card(lab.known.banks[0].id, 1));
    await app.page.addInitScript(() => {
      globalThis.waiting = 0;
      for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
        const real = globalThis[name];
        globalThis[name] = (type, ...more) => {
          if (type === "installable") globalThis.waiting += by;
          return real.call(globalThis, type, ...more);
        };
      }
    });
    await app.page.reload();
    await app.unlock();
    for (let n = 0; n < 3; n++) {
      await app.get("#top .round").first().click();
      await app.screen("settings");
      await app.get("#top .round").first().click();
      await app.screen("codes");
    }
    assert.equal(await app.page.evaluate(() => globalThis.waiting), 1);
  },

  async "a page whose scripts do not come says to load it again"(desk, lab) {
    const page = await desk.window({ viewport: PHONE });
    desk.expect("net::ERR_FAILED");
    await page.route("**/assets/js/ui/shell.js", (route) => route.abort());
    await page.goto(lab.known.banks[0].app);
    for (const words of ["صفحه را دوباره بارگذاری کنید", "load the page again"]) await page.locator(".still p", { hasText: words }).waitFor();
    await page.unroute("**/assets/js/ui/shell.js");
    await page.locator(".still a").first().click();
    await page.locator("#screen[data-screen]").waitFor();
    assert.equal(await page.locator(".still").count(), 0);
  },

  async "what a browser forgot is set up anew, and the lost device's place can be freed"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const app = await App.ready(desk, lab, card);
    const session = await app.page.context().newCDPSession(app.page);
    await session.send("Storage.clearDataForOrigin", { origin: new URL(app.url).origin, storageTypes: "all" });
    await app.page.reload();
    await app.activate(await app.halves());
    await app.choosePin("314159");
    await app.addCard();
    await paid(desk, lab, card, await app.code());
    const devices = await app.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      return (await Phone.open()).devices();
    });
    assert.equal(devices.filter(({ cards }) => cards > 0).length, 2, "the lost one is listed");
  },
};
