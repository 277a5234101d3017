// Signed requests, numbered and sent one after the other; control codes, each used up before it is sent; and what the bank tells of the
// cards. A write's number and its code are kept before they are sent, so that the loss of an answer makes no two writes of one.

import { within } from "./bank.js";
import { bytes, fromBase64url } from "./crypto/bytes.js";
import { code, STEP_MS, stepAt } from "./crypto/ocra.js";
import { isTrouble, Trouble } from "./trouble.js";

/** @typedef {import("./kept.js").State} State */
/** @typedef {import("./kept.js").Card} Card */
/** @typedef {import("./kept.js").Activated} Activated */
/** @typedef {import("./bank.js").CardView} CardView */
/** @typedef {import("./lock.js").Opened} Opened */

/** Nobody waits longer for another window's request. */
const TURN_MS = 60_000;
/** An answer that took longer, or less than no time, is of a phone that slept meanwhile, or whose clock was set: it tells no time. */
const MEASURED_MS = 20_000;
/** A clock that is further off than the minute that the bank looks at around it finds no code. */
const DRIFT_STEPS = 1;

/** Whether the bank takes the phone's clock for another than it is: it would find none of the codes that the phone makes now, until it has two in a
 * row. @param {{ clock: CardView["clock"] }} told */
export const isAstray = ({ clock }) => Math.abs(clock.drift_steps) > DRIFT_STEPS;

/** The same of control codes, which go by what two of them have shown and not by what was typed since.
 * @param {{ clock: CardView["clock"] }} told */
const isControlAstray = ({ clock }) => isAstray({ clock }) || Math.abs(clock.control_steps ?? 0) > DRIFT_STEPS;

/** Of what had to come before a change: the change itself was not begun. @param {unknown} error @returns {never} */
const notBegun = (error) => {
  throw isTrouble(error, "unanswered") ? new Trouble("offline") : error;
};

/** The path of a card. @param {string} reference @param {string} [what] */
export const ofCard = (reference, what) => `/app/cards/${reference}${what ? `/${what}` : ""}`;

/** The bank's receive key as it is kept: an uncompressed point. @param {import("./bank.js").ReceiveKey} told */
export const receiveKeyOf = ({ version, jwk }) => ({ keyVersion: version, key: bytes([4], fromBase64url(jwk.x), fromBase64url(jwk.y)) });

export class Asking {
  /** @type {Opened | null} the app's PIN, while the app is open */
  opened = null;
  /** @type {Opened | null} the one that the work which is under way began with */
  #began = null;
  /** @type {Opened | null} the one that this work tries instead */
  #tried = null;
  /** Whether the bank's time was heard since the app was started. */
  #heard = false;

  /** @param {import("./kept.js").Kept} kept @param {import("./bank.js").Bank} bank */
  constructor(kept, bank) {
    this.kept = kept;
    this.bank = bank;
  }

  /** One at a time, in all windows: writes are numbered, and what the bank tells is of the moment it was asked.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async alone(work) {
    const pressed = this.opened;
    const began = { yet: false };
    try {
      return await within(TURN_MS, (signal) => navigator.locks.request("ramz", { signal }, async () => {
        began.yet = true;
        // Another window may have written, and this one been asleep.
        await this.kept.read();
        this.#began = pressed;
        this.#tried = null;
        return work();
      }));
    } catch (error) {
      throw began.yet || error instanceof Trouble ? error : new Trouble("offline");
    }
  }

  /** The app's PIN that was typed; of another that is no more it is none. */
  get open() {
    if (!this.opened?.fits(this.kept.state.salt)) throw new Trouble("not-open");
    return this.opened;
  }

  /** The same for the work that is under way: if the app was locked and opened meanwhile, another PIN may have been typed, and what was proved
   * of one would be taken for the other. */
  get mine() {
    const { open } = this;
    if (open !== this.#began) throw new Trouble("not-open");
    return this.#tried ?? open;
  }

  /** The work that is under way asks the bank about another PIN. What is open, and its codes, stay what they are. @param {Opened} opened */
  goOnWith(opened) {
    this.#tried = opened;
  }

  /** @returns {Activated} */
  get activated() {
    const { activated } = this.kept.state;
    if (!activated) throw new Trouble("no-such-device");
    return activated;
  }

  /** @returns {CryptoKey} */
  get secret() {
    const { secret } = this.kept.state;
    if (!secret) throw new Trouble("no-such-device");
    return secret;
  }

  /** @param {string} reference */
  card(reference) {
    const card = this.kept.state.cards.find((card) => card.reference === reference);
    if (!card) throw new Trouble("no-card");
    return card;
  }

  /** The bank's time, as far as it is known. */
  now() {
    return Date.now() + (this.kept.state.offsetMs ?? 0);
  }

  /** Asks for the bank's time; once more, if the phone slept over the answer. */
  async learnTime() {
    if (!(await this.#askTime()) && !(await this.#askTime())) throw new Trouble("offline");
  }

  async #askTime() {
    const asked = Date.now();
    const { now_ms } = await this.bank.ask("GET", "/app/time");
    return this.heard(asked, now_ms);
  }

  /** The bank's time was heard since the app was started. */
  async timed() {
    if (!this.#heard) await this.learnTime();
  }

  /** The bank's clock showed this at some time between `asked` and now: in the middle, as far as anybody knows. Says whether that tells the time:
   * after forty minutes of sleep it would be off by twenty, and so would be every code.
   * @param {number} asked @param {number} bankMs */
  async heard(asked, bankMs) {
    const now = Date.now();
    if (now < asked || now - asked > MEASURED_MS) return false;
    await this.kept.change((state) => {
      state.offsetMs = Math.round(bankMs - (asked + now) / 2);
      // Control codes of minutes to come were sent by a clock that was ahead, and the bank took none of them; but it takes the next minute's.
      for (const card of state.cards) card.controlUsed = Math.min(card.controlUsed, stepAt(bankMs) + 1);
    });
    this.#heard = true;
    return true;
  }

  /** A signed request. What goes with it is made anew if it has to be sent again.
   * @param {string} method @param {string} path @param {() => unknown} [content] @returns {Promise<any>} */
  async send(method, path, content) {
    await this.timed();
    try {
      return await this.#sendOnce(method, path, content);
    } catch (error) {
      if (!isTrouble(error, "not-proved")) throw error;
    }
    // Somebody has set the phone's clock meanwhile.
    await this.learnTime();
    return this.#sendOnce(method, path, content);
  }

  /** @param {string} method @param {string} path @param {() => unknown} [content] */
  async #sendOnce(method, path, content) {
    const { device } = this.activated;
    const body = await content?.();
    const nowMs = this.now();
    const { pair } = this.kept.state;
    if (!pair) throw new Trouble("no-such-device");
    // Also above what another copy of this storage may have sent before.
    const write = () => this.kept.change((state) => (state.counter = Math.max(state.counter + 1, Math.floor(nowMs))));
    const changes = method !== "GET";
    const signer = changes ? { pair, device, nowMs, counter: await write() } : { pair, device, nowMs };
    // Without any network nothing leaves the phone.
    const leaves = navigator.onLine !== false;
    try {
      const told = await this.bank.ask(method, path, body, signer);
      await this.#revoked(device, false);
      return told;
    } catch (error) {
      if (isTrouble(error, "no-such-device")) await this.#revoked(device, true);
      // It was sent, and whether it was done nobody knows: also the bank says that it is not there when it may have kept it already.
      if (changes && leaves && (isTrouble(error, "offline") || isTrouble(error, "issuer-unavailable"))) throw new Trouble("unanswered");
      throw error;
    }
  }

  /** Whether the bank has taken the device off stays known, also without a network: its codes would look as good as any. A bank that knows it
   * again, as after a mishap of its own, says so with its next answer. @param {string} device @param {boolean} is */
  async #revoked(device, is) {
    const { activated } = this.kept.state;
    if (activated?.device !== device || Boolean(activated.revoked) === is) return;
    await this.kept.change((state) => {
      if (state.activated?.device === device) state.activated.revoked = is;
    });
  }

  /** Control codes of a card, of as many minutes in a row, the last of them this one; all used up from now on.
   * @param {string} reference @param {number} [count] @returns {Promise<string[]>} */
  async controls(reference, count = 1) {
    const { mine: open, secret } = this;
    const now = this.now();
    const last = stepAt(now);
    const card = await this.kept.change((state) => {
      const card = state.cards.find((card) => card.reference === reference);
      if (!card || !open.fits(state.salt)) throw new Trouble(card ? "not-open" : "no-card");
      const goodFrom = card.controlUsed + count;
      if (last < goodFrom) throw new Trouble("wait", { retryAfterS: Math.ceil((goodFrom * STEP_MS - now) / 1000) });
      card.controlUsed = last;
      return card;
    });
    const key = await open.key(secret, card);
    const steps = Array.from({ length: count }, (_, at) => last - count + 1 + at);
    return Promise.all(steps.map((step) => code(key, card.told.digits, "control", 0, step)));
  }

  /** The card whose control code shall do: one that has a code for this minute, if there is any. @param {string} [reference] */
  prover(reference) {
    if (reference !== undefined) return this.card(reference);
    const { cards } = this.kept.state;
    const now = stepAt(this.now());
    const good = cards.filter(({ told }) => !told.control.locked);
    const best = good.find((card) => card.controlUsed < now) ?? good[0] ?? cards[0];
    if (!best) throw new Trouble("no-card");
    return best;
  }

  /** Has the bank look at a control code: the app's PIN is right, and this the phone that it knows. @param {string} [reference] */
  async prove(reference) {
    const { mine } = this;
    const card = this.prover(reference);
    const content = async () => ({ control_code: (await this.controls(card.reference))[0] });
    await (isControlAstray(card.told) ? this.resync(card.reference) : this.send("POST", ofCard(card.reference, "check"), content)).catch(notBegun);
    mine.proved = true;
  }

  /** Tells the bank what the phone's clock shows, by the codes of two minutes. @param {string} reference */
  async resync(reference) {
    const { mine } = this;
    const view = await this.send("POST", ofCard(reference, "resync"), async () => ({ codes: await this.controls(reference, 2) }));
    await this.learn(view);
    mine.proved = true;
  }

  /** A change of a card; with a control code, if it takes one. @param {string} what @param {string} reference @param {object} wanted @param {boolean} controlled */
  async changed(what, reference, wanted, controlled) {
    const card = this.card(reference);
    const mine = controlled ? this.mine : null;
    if (controlled && isControlAstray(card.told)) await this.resync(reference).catch(notBegun);
    const content = async () => (controlled ? { ...wanted, control_code: (await this.controls(reference))[0] } : wanted);
    await this.learn(await this.send("PUT", ofCard(reference, what), content));
    // Whether a ceiling was raised, and the code looked at, only the bank knows.
    if (mine && what !== "ceiling") mine.proved = true;
  }

  /** Takes over what the bank tells of a card. @param {CardView} view */
  async learn(view) {
    await this.kept.change((state) => {
      const card = settled(state, view);
      if (card) state.cards = state.cards.map((known) => (known.reference === card.reference ? card : known));
    });
  }

  /** Takes over what the bank tells of all cards, and the key that it has seeds sealed to now. What it has and this phone cannot compute is taken off there; says how many those were. */
  async refresh() {
    let asked = 0;
    /** Measured from the request that was answered: not from the question for the time before it, nor from one that was refused.
     * @type {{ now_ms: number, receive_key?: import("./bank.js").ReceiveKey, cards: CardView[] }} */
    const told = await this.send("GET", "/app/cards", () => { asked = Date.now(); });
    await this.heard(asked, told.now_ms);
    // Another one since a rotation; a bank of the release before says none.
    const key = told.receive_key && receiveKeyOf(told.receive_key);
    const lost = await this.kept.change((state) => {
      if (state.activated) Object.assign(state.activated, key);
      const cards = told.cards.map((view) => settled(state, view));
      state.cards = cards.filter((card) => card !== null);
      return told.cards.filter((_, at) => cards[at] === null);
    });
    for (const { reference } of lost) await this.removed(reference);
    return lost.length;
  }

  /** Takes a card off the device, at the bank. That it is not there any more is as good. @param {string} reference */
  async removed(reference) {
    await this.send("DELETE", ofCard(reference)).catch((error) => {
      if (!isTrouble(error, "not-found")) throw error;
    });
    await this.kept.change((state) => {
      state.cards = state.cards.filter((card) => card.reference !== reference);
    });
  }
}

/** The card as the bank has it now; one that was asked for becomes a card. `null` if this phone has no seed for it.
 * @param {State} state @param {CardView} told @returns {Card | null} */
export function settled(state, told) {
  const card = state.cards.find((card) => card.reference === told.reference);
  if (card) return { ...card, told };
  const asked = state.pending.find((pending) => pending.reference === told.reference);
  state.pending = state.pending.filter((pending) => pending !== asked);
  return asked ? { ...asked, controlUsed: 0, told } : null;
}
