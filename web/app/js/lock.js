// The app's PIN while the app is open: stretched, and with it the keys of the codes, in memory only. A wrong PIN opens as a right one
// does, and its codes are wrong; the picture tells the holder, and the bank counts.

import { hmacKey, random } from "./crypto/bytes.js";
import { masked, stretch } from "./crypto/mask.js";
import { pictureOf } from "./crypto/picture.js";
import { digitsOf } from "./digits.js";
import { Trouble } from "./trouble.js";

/** @typedef {import("./crypto/bytes.js").Bytes} Bytes */

/** Fewer would be guessed by whoever has an image of the storage and one code. */
export const PIN_DIGITS_MIN = 6;
export const PIN_DIGITS_MAX = 12;

/** Whether a PIN is one of those that are tried first: in equal steps (111111, 123456), a piece repeated, digits in twos or threes. @param {string} typed */
export function isSimple(typed) {
  const pin = digitsOf(typed);
  const steps = new Set(Array.from(pin.slice(1), (digit, at) => (Number(digit) - Number(pin[at]) + 10) % 10));
  return steps.size === 1 || /^(\d{1,4})\1+$|^(?:(\d)\2)+$|^(?:(\d)\3\3)+$/.test(pin);
}

/** An app PIN, right or wrong, that was typed. Wiped by `wipe`. */
export class Opened {
  /** @type {Map<string, Promise<CryptoKey>>} */
  #keys = new Map();
  #wiped = false;

  /** @param {Bytes} salt @param {Bytes} stretched @param {import("./crypto/picture.js").Picture} picture @param {boolean} proved */
  constructor(salt, stretched, picture, proved) {
    this.salt = salt;
    this.stretched = stretched;
    this.picture = picture;
    /** Whether it is known to be right: it was just chosen, or the bank has taken a control code. */
    this.proved = proved;
  }

  /** By a PIN. Without a salt it is a new one.
   * @param {string} typed @param {Bytes} [salt] */
  static async by(typed, salt) {
    const pin = digitsOf(typed);
    if (pin.length < PIN_DIGITS_MIN || pin.length > PIN_DIGITS_MAX) throw new Trouble("malformed");
    const fresh = salt ?? random(16);
    return Opened.of(fresh, await stretch(pin, fresh), salt === undefined);
  }

  /** By what a fingerprint has opened. @param {Bytes} salt @param {Bytes} stretched @param {boolean} proved */
  static async of(salt, stretched, proved) {
    return new Opened(salt, stretched, await pictureOf(stretched), proved);
  }

  /** Whether it is of the PIN that is there now. @param {Bytes | null} salt */
  fits(salt) {
    return salt !== null && salt.length === this.salt.length && salt.every((byte, at) => byte === this.salt[at]);
  }

  /** Puts a card's mask on its seed, or takes it off. @param {CryptoKey} secret @param {string} reference @param {Bytes} seed */
  async masked(secret, reference, seed) {
    // A seed under the mask of zeros would be lost.
    if (this.#wiped) throw new Trouble("not-open");
    return masked(secret, reference, this.stretched, seed);
  }

  /** The key of a card's codes. @param {CryptoKey} secret @param {{ reference: string, masked: Bytes }} card */
  key(secret, card) {
    const known = this.#keys.get(card.reference);
    if (known) return known;
    const made = this.masked(secret, card.reference, card.masked).then(async (seed) => {
      const key = await hmacKey(seed);
      seed.fill(0);
      return key;
    });
    this.#keys.set(card.reference, made);
    return made;
  }

  wipe() {
    this.#wiped = true;
    this.stretched.fill(0);
    this.#keys.clear();
  }
}
