// A cardholder's browser with the app's own modules, and without its screens: what a phone does, from the ATM's receipt on.

import assert from "node:assert/strict";

/** When the test is over the card is what it was, whatever happened: on no device, its first PIN static. */
export function freed(desk, lab, card) {
  desk.afterwards(async () => {
    await lab.service(card, "931000");
    await lab.service(card, "920000");
  });
}

/** A platform with a finger that it knows, as Chromium plays one. */
export async function finger(page, options = {}) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, hasPrf: true,
      isUserVerified: true, automaticPresenceSimulation: true, ...options,
    },
  });
  return { session, authenticatorId };
}

export class Holder {
  /** A fresh browser at the door of the card's bank. */
  static async of(desk, lab, card, window = {}) {
    const page = await desk.window(window);
    freed(desk, lab, card);
    return new Holder(lab, card).at(page);
  }

  constructor(lab, card) {
    Object.assign(this, { lab, card, door: lab.bank(card.bank).app });
  }

  /** At the app's address, in this page. */
  async at(page) {
    this.page = page;
    // The screens would have a phone of their own.
    await page.route(`${this.door}/assets/js/main.js`, (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
    await this.reload();
    return this;
  }

  /** Another window of the same browser. */
  async another() {
    return new Holder(this.lab, this.card).at(await this.page.context().newPage());
  }

  /** As if the app was closed and opened. */
  async reload() {
    await this.page.goto(`${this.door}/`);
    await this.page.evaluate(async () => {
      const { Phone } = await import("/assets/js/phone.js");
      globalThis.Phone = Phone;
      globalThis.phone = await Phone.open();
    });
  }

  /** `phone.what(…)`: its result, or `{ trouble }` with the kind. */
  does(what, ...args) {
    return this.page.evaluate(async ([what, args]) => {
      try {
        return await globalThis.phone[what](...args);
      } catch (error) {
        if (error.name !== "Trouble") throw error;
        return { trouble: error.kind, retryAfterS: error.retryAfterS };
      }
    }, [what, args]);
  }

  /** As `does`, and it must not fail. */
  async did(what, ...args) {
    const result = await this.does(what, ...args);
    assert.ok(!result?.trouble, `${what}: ${result?.trouble} ${result?.retryAfterS ?? ""}`);
    return result;
  }

  /** `phone.what`. */
  get(what) {
    return this.page.evaluate((what) => globalThis.phone[what], what);
  }

  /** As `did`, and the problem that it must end with. */
  async fails(kind, what, ...args) {
    const result = await this.does(what, ...args);
    assert.equal(result?.trouble, kind, `${what} gave ${JSON.stringify(result)}`);
    return result;
  }

  /** The next answer to this is lost: the bank has done what was asked, and the phone does not hear of it. */
  async loseAnswer(method, path) {
    const url = this.door + path;
    const lose = async (route) => {
      if (route.request().method() !== method) return route.fallback();
      await this.page.unroute(url, lose);
      await route.fetch();
      await route.abort();
    };
    await this.page.route(url, lose);
  }

  /** The next request of this kind is held until what was begun meanwhile had its time: it may wait for this one. `slow` is the end of that. */
  async hold(method, path, meanwhile, limitMs = 700) {
    const url = this.door + path;
    let other;
    const hold = async (route) => {
      await this.page.unroute(url, hold);
      assert.equal(route.request().method(), method);
      other = meanwhile();
      await Promise.race([other, new Promise((go) => setTimeout(go, limitMs))]);
      await route.continue();
    };
    await this.page.route(url, hold);
    return { slow: () => other };
  }

  /** What is kept becomes this, as no part of the app would make it; then the app is opened anew. */
  async alter(values) {
    await this.page.evaluate(async (values) => {
      const { Kept } = await import("/assets/js/kept.js");
      await new Kept().change((state) => void Object.assign(state, values));
    }, values);
    await this.reload();
  }

  /** From the ATM to the first card. Its reference. */
  async begin(pin) {
    const { receipt, sms } = await this.lab.activation(this.card);
    await this.did("activate", { receipt, sms, name: "browser" });
    await this.did("choosePin", pin);
    return this.did("addCard", { pan: this.card.pan, expiry: this.card.expiry });
  }

  /** A minute in which no code was used. */
  async nextMinute() {
    await this.lab.advance(60);
    await this.did("learnTime");
  }

  async code(reference, slot = "second", ceiling = 0) {
    const { code } = await this.did("code", reference, slot, ceiling);
    this.lab.pins.add(code);
    return code;
  }

  /** The platform has a finger that it knows. */
  finger(options) {
    return finger(this.page, options);
  }
}
