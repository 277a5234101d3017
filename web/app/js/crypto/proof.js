// The proof that a request is this device's: DPoP (RFC 9449), ES256. Beside the claims of the RFC `bh`, the body's hash, and `ctr`,
// a write's number, which only rises; `ath` is the hash of the device's id.

import { base64url, bytes, random, sha256 } from "./bytes.js";

/** @typedef {{ kty: string, crv: string, x: string, y: string }} Jwk */
/** @typedef {object} Request
 * @property {string} method as it is sent
 * @property {string} url the whole, with neither query nor fragment
 * @property {string} device its id
 * @property {string} body empty for none
 * @property {number} [counter] of a write; a GET has none
 * @property {number} nowMs the bank's time, as far as it is known */

const { subtle } = globalThis.crypto;

/** A key pair whose private half nobody reads. */
export const newKey = () => subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);

/** @param {CryptoKey} publicKey @returns {Promise<Jwk>} */
export async function jwkOf(publicKey) {
  const { kty = "", crv = "", x = "", y = "" } = await subtle.exportKey("jwk", publicKey);
  return { kty, crv, x, y };
}

/** The header `DPoP` of a request. @param {CryptoKeyPair} pair @param {Request} request */
export async function prove(pair, { method, url, device, body, counter, nowMs }) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: await jwkOf(pair.publicKey) };
  const [ath, bh] = await Promise.all([hash(device), hash(body)]);
  const claims = { jti: base64url(random(16)), htm: method, htu: url, iat: Math.floor(nowMs / 1000), ath, bh, ctr: counter };
  const signed = `${part(header)}.${part(claims)}`;
  const signature = await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, bytes(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

/** @param {string} text */
const hash = async (text) => base64url(await sha256(bytes(text)));

/** @param {object} value */
const part = (value) => base64url(bytes(JSON.stringify(value)));
