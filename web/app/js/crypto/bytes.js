// Bytes: from and to texts, joined, wiped; and the two primitives that everything here is made of.

const { subtle } = globalThis.crypto;

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** Texts (as UTF-8) and bytes in one.
 * @param {...(string | Uint8Array | number[])} parts
 * @returns {Bytes} */
export function bytes(...parts) {
  const all = parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : Uint8Array.from(part)));
  const joined = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    joined.set(part, at);
    at += part.length;
    // A copy of what may be a secret.
    part.fill(0);
  }
  return joined;
}

/** @param {number} length @returns {Bytes} */
export const random = (length) => globalThis.crypto.getRandomValues(new Uint8Array(length));

/** @param {Uint8Array} data */
export const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {string} text hexadecimal digits, two a byte @returns {Bytes} */
export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Base64url without padding (RFC 4648, section 5). @param {Uint8Array} data */
export const base64url = (data) => btoa(String.fromCharCode(...data)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** @param {string} text @returns {Bytes} */
export const fromBase64url = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

/** Two of one length. @param {Uint8Array} one @param {Uint8Array} other @returns {Bytes} */
export const xor = (one, other) => Uint8Array.from(one, (byte, at) => byte ^ (other[at] ?? 0));

/** @param {Uint8Array<ArrayBuffer>} data @returns {Promise<Bytes>} */
export const sha256 = async (data) => new Uint8Array(await subtle.digest("SHA-256", data));

/** A key for `hmac` that nobody reads back. @param {Bytes} key not empty @param {"SHA-1" | "SHA-256" | "SHA-512"} [hash] */
export const hmacKey = (key, hash = "SHA-256") => subtle.importKey("raw", key, { name: "HMAC", hash }, false, ["sign"]);

/** @param {CryptoKey} key @param {Bytes} data @returns {Promise<Bytes>} */
export const hmac = async (key, data) => new Uint8Array(await subtle.sign("HMAC", key, data));
