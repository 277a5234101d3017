// A card is put on the phone, with a fresh seed. Reference and masked seed are kept before they are sent: if the answer is lost, the
// bank then has one card whose codes this phone can compute, and whoever adds it again is led to it. A seed goes under the mask of a PIN
// that is known to be right only, or the card would be lost to its holder.

import { settled } from "./asking.js";
import { bytes, base64url, fromHex, hex, random } from "./crypto/bytes.js";
import { seal } from "./crypto/hpke.js";
import { digitsOf } from "./digits.js";
import { isTrouble, Trouble } from "./trouble.js";

/** @typedef {import("./bank.js").CardView} CardView */
/** @typedef {{ pan: string, expiry: string }} Wanted expiry: YYMM */

const INFO = "ramz-seed-1";
/** How far the bank's clock may be from what the phone takes it for: a request that is signed for another time is refused. */
const SKEW_MS = 120_000;

export class Adding {
  /** What was asked for since the app was opened, and had no answer: in memory only, by reference. @type {Map<string, Wanted>} */
  #asked = new Map();

  /** @param {import("./asking.js").Asking} asking */
  constructor(asking) {
    this.asking = asking;
  }

  /** What was typed goes with the app's PIN. */
  forget() {
    this.#asked.clear();
  }

  /** @param {Wanted} typed @param {boolean} [once] whether the bank's list was put in order already @returns {Promise<string>} its reference */
  async card(typed, once = false) {
    const { asking } = this;
    const wanted = { pan: digitsOf(typed.pan), expiry: digitsOf(typed.expiry) };
    const { mine: open, kept } = asking;
    // Its answer was lost, and what the bank told of its cards has settled it meanwhile.
    const there = kept.state.cards.find(({ reference }) => isSame(this.#asked.get(reference), wanted));
    if (there) return there.reference;
    const { pending } = kept.state;
    const before = pending.find(({ reference }) => isSame(this.#asked.get(reference), wanted));
    if (!before && pending.length > 0) {
      // Of before: the bank says whether it has them. Those that it has not are given up, also if they arrive later.
      await asking.refresh();
      await kept.change((state) => { state.pending = []; });
      this.#asked.clear();
      const found = this.#ending(wanted);
      if (found && pending.some(({ reference }) => reference === found)) return found;
    }
    await asking.timed();
    const { cards } = kept.state;
    if (cards.length === 0 && !open.proved) throw new Trouble("not-open");
    const { addUntilMs } = asking.activated;
    // A code is looked at only once the bank takes the first minutes to be over. While that is not certain, it is asked beforehand.
    if (!open.proved && asking.now() < addUntilMs + SKEW_MS) await asking.prove();
    const reference = before?.reference ?? (await this.#begin(wanted));
    try {
      return await this.#proveAndAdd(reference, wanted, before !== undefined);
    } catch (error) {
      if (isTrouble(error, "token-exists")) {
        await this.#end(reference);
        // The bank has it by a reference of before, whose seed is lost: it is taken off, and added anew.
        if (!once && (await asking.refresh()) > 0) return this.card(wanted, true);
        // It is one of those that are here.
        const here = this.#ending(wanted);
        if (here) return here;
      } else if (!before && !(error instanceof Trouble && !error.nothingDone)) await this.#end(reference);
      throw error;
    }
  }

  /** The only card of the app whose number ends like this one's; no more of a number is kept. @param {Wanted} wanted */
  #ending({ pan }) {
    const [card, other] = this.asking.kept.state.cards.filter(({ told }) => told.card_ending === pan.slice(-4));
    return other ? undefined : card?.reference;
  }

  /** @param {Wanted} wanted */
  async #begin(wanted) {
    const { mine: open, secret, kept } = this.asking;
    const reference = hex(random(16));
    const seed = random(32);
    const masked = await open.masked(secret, reference, seed);
    seed.fill(0);
    await kept.change((state) => {
      if (!open.fits(state.salt)) throw new Trouble("not-open");
      state.pending.push({ reference, masked });
    });
    this.#asked.set(reference, wanted);
    return reference;
  }

  /** @param {string} reference */
  async #end(reference) {
    this.#asked.delete(reference);
    await this.asking.kept.change((state) => { state.pending = state.pending.filter((pending) => pending.reference !== reference); });
  }

  /** @param {string} reference @param {Wanted} wanted @param {boolean} again what the bank may have already it is told again, which proves nothing anew */
  async #proveAndAdd(reference, wanted, again) {
    const { asking } = this;
    const { cards } = asking.kept.state;
    const free = again || cards.length === 0 || (asking.mine.proved && asking.now() < asking.activated.addUntilMs);
    if (!free) return this.#add(reference, wanted, true);
    try {
      return await this.#add(reference, wanted, false);
    } catch (error) {
      if (!isTrouble(error, "control-code") || cards.length === 0) throw error;
    }
    // By the bank's clock the minutes are over.
    return this.#add(reference, wanted, true);
  }

  /** @param {string} reference @param {Wanted} wanted @param {boolean} proved */
  async #add(reference, wanted, proved) {
    const { asking } = this;
    const { mine: open, kept } = asking;
    /** @type {CardView} */
    const view = await asking.send("POST", "/app/cards", async () => ({
      reference, ...wanted,
      seed: await this.#sealed(reference),
      ...(proved ? { control: await this.#control() } : {}),
    }));
    if (proved) open.proved = true;
    this.#asked.delete(reference);
    await kept.change((state) => {
      const card = settled(state, view);
      if (card) state.cards = [...state.cards.filter((known) => known.reference !== reference), card];
    });
    return reference;
  }

  /** @param {string} reference */
  async #sealed(reference) {
    const { mine: open, secret, kept, activated } = this.asking;
    const pending = kept.state.pending.find((pending) => pending.reference === reference);
    if (!pending) throw new Trouble("no-card");
    const seed = await open.masked(secret, reference, pending.masked);
    const associated = bytes(INFO, fromHex(activated.device), fromHex(reference));
    const { enc, ciphertext } = await seal(activated.key, INFO, associated, seed);
    seed.fill(0);
    return { key: activated.keyVersion, enc: base64url(enc), ciphertext: base64url(ciphertext) };
  }

  async #control() {
    const card = this.asking.prover().reference;
    return { card, code: (await this.asking.controls(card))[0] };
  }
}

/** @param {Wanted | undefined} one @param {Wanted} other */
const isSame = (one, other) => one?.pan === other.pan && one.expiry === other.expiry;
