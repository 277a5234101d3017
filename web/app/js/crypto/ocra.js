// Codes (OCRA, RFC 6287): an HMAC over the suite's text and its inputs, and some digits cut out of it. The app's own suite is
// `OCRA-1:HOTP-SHA256-7:QN08-T1M`, or with -8; what it does not use is not here, and `respond` takes it as bytes.

import { bytes, hmac } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/** Milliseconds of a time step. */
export const STEP_MS = 60_000;

/** What a code is for: the first digit of its question. A control code proves the app's PIN to the bank, and never pays. */
export const PURPOSE = Object.freeze({ first: 1, second: 2, control: 9 });

/** The minute of an instant. @param {number} unixMs */
export const stepAt = (unixMs) => Math.floor(unixMs / STEP_MS);

/** The code of a card: `seed` is a key for HMAC-SHA-256, `ceiling` a step of the bank's table (0: none), `step` a minute.
 * @param {CryptoKey} seed @param {7 | 8} digits @param {keyof typeof PURPOSE} purpose @param {number} ceiling @param {number} step */
export function code(seed, digits, purpose, ceiling, step) {
  const question = `${PURPOSE[purpose]}${String(ceiling).padStart(3, "0")}0000`;
  return respond(seed, `OCRA-1:HOTP-SHA256-${digits}:QN08-T1M`, numeric(question), whole(step));
}

/** The code of any suite. `key` is for its hash; `inputs` are those that it names, in its order, as bytes.
 * @param {CryptoKey} key @param {string} suite @param {...Uint8Array} inputs */
export async function respond(key, suite, ...inputs) {
  return truncated(await hmac(key, bytes(suite, [0], ...inputs)), Number(/-(\d+):[CQ]/.exec(suite)?.[1]));
}

/** 31 bits from where the low half of the last byte says, modulo 10^digits (RFC 4226, 5.3). @param {Uint8Array} mac @param {number} digits */
export function truncated(mac, digits) {
  const at = (mac[mac.length - 1] ?? 0) & 15;
  const binary = new DataView(mac.buffer, mac.byteOffset).getUint32(at) & 0x7fffffff;
  return String(binary % 10 ** digits).padStart(digits, "0");
}

/** A numeric question (QN): the number in hexadecimal digits from the left, in 128 bytes. @param {string} question @returns {Bytes} */
export function numeric(question) {
  const digits = BigInt(question).toString(16);
  const block = new Uint8Array(128);
  for (let at = 0; at < digits.length; at += 2) block[at / 2] = parseInt((digits[at] ?? "0") + (digits[at + 1] ?? "0"), 16);
  return block;
}

/** A counter or a time step, in eight bytes. @param {number} number @returns {Bytes} */
export function whole(number) {
  const block = new Uint8Array(8);
  new DataView(block.buffer).setBigUint64(0, BigInt(number));
  return block;
}
