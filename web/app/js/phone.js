// What this phone is and does, as the screens see it. Whatever fails is a `Trouble`.
//
//   new ──activate──▶ activated ──choosePin, addCard──▶ ready          open ──lock──▶ closed ──unlock──▶ open
//
// What guards: no app PIN, no code and no seed in the clear is ever kept; whether a typed PIN is right only the bank tells.

import { Asking, receiveKeyOf } from "./asking.js";
import { Bank } from "./bank.js";
import { newSecret } from "./crypto/mask.js";
import { code, STEP_MS, stepAt } from "./crypto/ocra.js";
import { jwkOf, newKey } from "./crypto/proof.js";
import { digitsOf } from "./digits.js";
import * as fingerprint from "./fingerprint.js";
import { Kept } from "./kept.js";
import { Opened } from "./lock.js";
import { isTrouble, Trouble } from "./trouble.js";

/** @typedef {import("./bank.js").BankView} BankView */
/** @typedef {import("./bank.js").DeviceView} DeviceView */
/** @typedef {"first" | "second"} Slot */

export class Phone extends EventTarget {
  #kept = new Kept();
  #asking = new Asking(this.#kept, new Bank(location.origin));
  /** What adds cards, once one is added: a first visit does not wait for it. @type {Promise<import("./adding.js").Adding> | null} */
  #adding = null;
  /** @type {BankView | null} whose app it is, before there is an activation that says so */
  #bank = null;
  /** How often it was locked: what was begun before does not open it. */
  #locks = 0;
  /** What the screens were told last. */
  #seen = "";

  /** Reads what is kept; makes nothing. */
  static async open() {
    const phone = new Phone();
    await phone.#kept.read();
    // Also when another window of the app has written: of another PIN, of a phone that was taken off, or of none any more, nothing stays open.
    phone.#seen = phone.#summary();
    phone.#kept.addEventListener("changed", () => {
      if (phone.#asking.opened && (phone.isRevoked || !phone.#asking.opened.fits(phone.#kept.state.salt))) phone.lock();
      if (phone.#seen !== phone.#summary()) phone.#changed();
    });
    if (phone.stage === "new") void phone.#learnBank();
    return phone;
  }

  /** Whether this browser may open by fingerprint. */
  static fingerprintPossible() {
    return fingerprint.possible();
  }

  /** `new`: no device; `activated`: a device without cards; `ready`. */
  get stage() {
    const { activated, cards } = this.#kept.state;
    if (!activated) return "new";
    return cards.length === 0 ? "activated" : "ready";
  }

  /** Whether the bank has taken this phone off: it is of no use any more but to be erased. */
  get isRevoked() {
    return this.#kept.state.activated?.revoked === true;
  }

  get bank() {
    return this.#kept.state.activated?.bank ?? this.#bank;
  }

  get isOpen() {
    return this.#asking.opened !== null;
  }

  /** Whether the typed PIN is known to be right. */
  get isProved() {
    return this.#asking.opened?.proved === true;
  }

  /** What the typed PIN draws, while the app is open. */
  get picture() {
    return this.#asking.opened?.picture ?? null;
  }

  get cards() {
    return this.#kept.state.cards.map(({ reference, told }) => ({ ...told, reference, ending: told.card_ending }));
  }

  get clock() {
    return { offsetMs: this.#kept.state.offsetMs };
  }

  get fingerprint() {
    return { on: Boolean(this.#kept.state.fingerprint?.wrapped) };
  }

  /** Until when, by this phone's clock, cards are added without a control code. */
  get freeUntilMs() {
    const { activated, offsetMs } = this.#kept.state;
    return activated ? activated.addUntilMs - (offsetMs ?? 0) : null;
  }

  /** Makes this phone a device of the bank. Without an answer: once more, with the same halves.
   * @param {{ receipt: string, sms: string, name: string }} typed */
  activate({ receipt, sms, name }) {
    return this.#asking.alone(async () => {
      if (this.#kept.state.activated) throw new Trouble("already-activated");
      navigator.storage?.persist?.().catch(() => {});
      const [pair, secret] = await Promise.all([newKey(), newSecret()]);
      // Kept before it is sent: a repeat has the same key, and makes the same device.
      const kept = await this.#kept.change((state) => {
        state.secret ??= secret;
        return (state.pair ??= pair);
      });
      const asked = Date.now();
      /** @type {import("./bank.js").ActivatedView} */
      const told = await this.#asking.bank.ask("POST", "/app/activations", {
        receipt_code: digitsOf(receipt), sms_code: digitsOf(sms), device_key: await jwkOf(kept.publicKey), device_name: name.normalize("NFC").trim(),
      });
      const { device, bank } = told;
      const key = receiveKeyOf(told.receive_key);
      await this.#kept.change((state) => {
        state.activated = { device, bank, ...key, addUntilMs: Date.parse(told.add_cards_until) };
      });
      await this.#asking.heard(asked, told.now_ms);
    });
  }

  /** The app's PIN, chosen on a phone without cards. If a card that was asked for before turns out to be there, `already-exists`: its PIN is the one
   * of then. @param {string} pin */
  choosePin(pin) {
    return this.#asking.alone(async () => {
      void this.#asking.activated;
      if (this.#kept.state.pending.length > 0) await this.#asking.refresh();
      if (this.#kept.state.cards.length > 0) throw new Trouble("already-exists");
      const locks = this.#locks;
      const opened = await Opened.by(pin);
      await this.#kept.change((state) => {
        if (state.cards.length > 0) throw new Trouble("already-exists");
        state.salt = opened.salt;
        state.pending = [];
        forgetWrapped(state);
      });
      this.#open(opened, locks);
    });
  }

  /** Opens, whatever PIN it is: nothing here knows. @param {string} pin */
  async unlock(pin) {
    const locks = this.#locks;
    await this.#kept.read();
    const { salt, cards } = this.#kept.state;
    if (!salt || cards.length === 0) throw new Trouble("no-card");
    this.#open(await Opened.by(pin, salt), locks);
  }

  async unlockByFingerprint() {
    const locks = this.#locks;
    await this.#kept.read();
    const { salt, fingerprint: wrapped } = this.#kept.state;
    if (!salt || !wrapped) throw new Trouble("no-prf");
    // It was wrapped when it was known to be right, and went with any other PIN.
    this.#open(await Opened.of(salt, await fingerprint.unwrap(wrapped), true), locks);
  }

  lock() {
    this.#locks += 1;
    this.#asking.opened?.wipe();
    this.#asking.opened = null;
    void this.#adding?.then((adding) => adding.forget(), () => {});
    this.#changed();
  }

  /** Puts a card on this phone. @param {{ pan: string, expiry: string }} card its number, and its expiry as YYMM @returns {Promise<string>} its reference */
  addCard(card) {
    return this.#asking.alone(async () => (await this.#adder()).card(card));
  }

  async #adder() {
    this.#adding ??= import("./adding.js").then(({ Adding }) => new Adding(this.#asking));
    try {
      return await this.#adding;
    } catch {
      this.#adding = null;
      throw new Trouble("offline");
    }
  }

  /** Takes over what the bank tells. */
  async refresh() {
    await this.#asking.alone(() => this.#asking.refresh());
  }

  learnTime() {
    return this.#asking.learnTime();
  }

  /** The code of a minute. `untilMs` and `atMs` are by this phone's clock.
   * @param {string} reference @param {Slot} slot @param {number} ceiling a step, 0: none @param {number} [atMs] */
  async code(reference, slot, ceiling, atMs = Date.now()) {
    const { open, secret } = this.#asking;
    const card = this.#asking.card(reference);
    if (!(ceiling >= 0 && ceiling <= card.told.ceilings.length)) throw new Trouble("malformed");
    const offset = this.#kept.state.offsetMs ?? 0;
    const step = stepAt(atMs + offset);
    const untilMs = (step + 1) * STEP_MS - offset;
    return { code: await code(await open.key(secret, card), card.told.digits, slot, ceiling, step), step, untilMs, leftMs: untilMs - atMs };
  }

  /** What one PIN may pay: a step of the table, 0: no ceiling. Raising it takes a control code.
   * @param {string} reference @param {Slot} slot @param {number} ceiling */
  setCeiling(reference, slot, ceiling) {
    return this.#asking.alone(async () => {
      const set = (/** @type {boolean} */ controlled) => this.#asking.changed("ceiling", reference, { slot, ceiling }, controlled);
      // None is the highest.
      const height = (/** @type {number} */ step) => step || Infinity;
      if (height(ceiling) > height(this.#asking.card(reference).told[slot].ceiling)) return set(true);
      // It may have been lowered elsewhere; a request without a code uses none up, and counts for nothing.
      await set(false).catch((error) => {
        if (!isTrouble(error, "control-code")) throw error;
        return set(true);
      });
    });
  }

  /** Whether a PIN is the app's. @param {string} reference @param {Slot} slot @param {boolean} on */
  switchPin(reference, slot, on) {
    return this.#asking.alone(() => this.#asking.changed(`${slot}-pin`, reference, { on }, slot === "first" || on));
  }

  /** Has the bank look whether the typed PIN is right. @param {string} [reference] */
  prove(reference) {
    return this.#asking.alone(() => this.#asking.prove(reference));
  }

  /** Tells the bank what the phone's clock shows. @param {string} reference */
  resync(reference) {
    return this.#asking.alone(() => this.#asking.resync(reference));
  }

  /** Another app PIN, once the bank has seen that the old one is right. All seeds get their new masks at once.
   * @param {string} oldPin @param {string} newPin */
  changePin(oldPin, newPin) {
    return this.#asking.alone(async () => {
      const { salt, cards } = this.#kept.state;
      if (!salt || cards.length === 0) throw new Trouble("no-card");
      const before = this.#asking.mine;
      const [fresh, old] = [await Opened.by(newPin), await Opened.by(oldPin, salt)];
      try {
        this.#asking.goOnWith(old);
        await this.#asking.prove();
        const masks = await this.#masks(old, fresh);
        await this.#kept.change((state) => {
          // A lock that fell meanwhile is not undone, nor is what was typed since replaced.
          void this.#asking.mine;
          for (const card of [...state.cards, ...state.pending]) {
            const masked = masks.get(card.reference);
            // Another window was here: what it has written is under the old PIN.
            if (!masked || !old.fits(state.salt)) throw new Trouble("not-open");
            card.masked = masked;
          }
          state.salt = fresh.salt;
          forgetWrapped(state);
          // Before it is kept: of an old PIN nothing stays open.
          this.#asking.opened = fresh;
        });
        before.wipe();
      } catch (error) {
        if (this.#asking.opened === fresh) {
          // It could not be kept.
          this.#asking.opened = before;
          this.#changed();
        } else if (this.#asking.opened !== before) before.wipe();
        fresh.wipe();
        throw error;
      } finally {
        old.wipe();
      }
      fresh.proved = true;
      this.#changed();
    });
  }

  /** Takes a card off this phone. @param {string} reference */
  remove(reference) {
    return this.#asking.alone(async () => {
      this.#asking.card(reference);
      await this.#asking.removed(reference);
    });
  }

  /** @returns {Promise<DeviceView[]>} */
  devices() {
    return this.#asking.alone(async () => (await this.#asking.send("GET", "/app/devices")).devices);
  }

  /** @param {string} id @param {string} name @returns {Promise<DeviceView>} */
  renameDevice(id, name) {
    return this.#asking.alone(() => this.#asking.send("PUT", `/app/devices/${id}`, () => ({ name: name.normalize("NFC").trim() })));
  }

  /** Takes a device away, with its cards: also this one. @param {string} id */
  async revokeDevice(id) {
    await this.#asking.alone(() => this.#asking.send("DELETE", `/app/devices/${id}`));
  }

  /** Lets a fingerprint open the app. */
  async enableFingerprint() {
    const { open } = this.#asking;
    // A wrong one would be wrapped for good.
    if (!open.proved) await this.prove();
    const before = this.#kept.state.fingerprint?.credential;
    try {
      const wrapped = await fingerprint.wrap(open.stretched, before, this.bank?.name_fa ?? "رمزنگار");
      await this.#kept.change((state) => {
        if (this.#asking.opened !== open || !open.fits(state.salt)) throw new Trouble("not-open");
        state.fingerprint = wrapped;
      });
    } catch (error) {
      // It may be gone from the platform: the next try makes another.
      if (before) await this.#kept.change((state) => { state.fingerprint = null; });
      throw error;
    }
  }

  async disableFingerprint() {
    await this.#kept.change(forgetWrapped);
  }

  /** Everything of this phone goes. What the bank has goes by `revokeDevice`. */
  async forget() {
    this.lock();
    await this.#kept.forget();
  }

  /** @param {Opened} opened @param {number} locks as they were when it was begun */
  #open(opened, locks) {
    // Locked meanwhile; or taken off; or of another PIN by now: another window has changed it.
    if (locks !== this.#locks || this.isRevoked || !opened.fits(this.#kept.state.salt)) {
      opened.wipe();
      throw new Trouble("not-open");
    }
    if (this.#asking.opened !== opened) this.#asking.opened?.wipe();
    this.#asking.opened = opened;
    this.#changed();
  }

  /** What the screens see of what is kept. */
  #summary() {
    return JSON.stringify([this.stage, this.isRevoked, this.bank, this.cards, this.clock, this.fingerprint]);
  }

  /** Each seed under its new mask. @param {Opened} old @param {Opened} fresh */
  async #masks(old, fresh) {
    const { cards, pending } = this.#kept.state;
    const masks = new Map();
    for (const { reference, masked } of [...cards, ...pending]) {
      const seed = await old.masked(this.#asking.secret, reference, masked);
      masks.set(reference, await fresh.masked(this.#asking.secret, reference, seed));
      seed.fill(0);
    }
    return masks;
  }

  #changed() {
    this.#seen = this.#summary();
    this.dispatchEvent(new Event("change"));
  }

  async #learnBank() {
    this.#bank = await this.#asking.bank.ask("GET", "/app/bank").catch(() => null);
    if (this.#bank) this.#changed();
  }
}

/** The credential stays: it is of use for the next PIN, and opens nothing. @param {import("./kept.js").State} state */
function forgetWrapped(state) {
  if (state.fingerprint) state.fingerprint.wrapped = null;
}
