// How a seed lies in storage: under a mask that only the device's secret and the app's PIN make together. Whatever PIN is tried, what
// comes out is 32 bytes that look like a seed: nothing here tells which is right, and nothing may be added that would. (One seed under the
// masks of two PINs would: what was kept before a change of the PIN must go. What a browser's files still have of it is not ours to wipe.)

import { bytes, fromHex, hmac, xor } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const { subtle } = globalThis.crypto;
/** What one guess at a PIN costs (OWASP, Password Storage: PBKDF2-HMAC-SHA256). */
const ITERATIONS = 600_000;

/** The app's PIN, made long: 32 bytes, and slow on purpose. @param {string} pin Latin digits @param {Bytes} salt 16 bytes @returns {Promise<Bytes>} */
export async function stretch(pin, salt) {
  const key = await subtle.importKey("raw", bytes(pin), "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS }, key, 256));
}

/** The device's secret: it can be used here, and read by nobody. */
export const newSecret = () => subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 256 }, false, ["sign"]);

/** Puts the mask of a card on a seed, or takes it off. @param {CryptoKey} secret @param {string} reference @param {Bytes} stretched @param {Bytes} seed */
export async function masked(secret, reference, stretched, seed) {
  const data = bytes("mask", fromHex(reference), stretched);
  const mask = await hmac(secret, data);
  const result = xor(seed, mask);
  mask.fill(0);
  data.fill(0);
  return result;
}
