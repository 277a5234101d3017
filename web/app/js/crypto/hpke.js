// HPKE (RFC 9180), the sender's side, one message: base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

import { bytes, hmac, hmacKey } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const { subtle } = globalThis.crypto;
const KEM = bytes("KEM", [0, 0x10]);
const SUITE = bytes("HPKE", [0, 0x10, 0, 1, 0, 2]);
const CURVE = { name: "ECDH", namedCurve: "P-256" };

// WebCrypto takes no empty key; HMAC fills any with zeros.
/** @param {Bytes} key @param {Bytes} data */
const mac = async (key, data) => hmac(await hmacKey(key.length === 0 ? new Uint8Array(32) : key), data);

/** @param {Bytes} suite @param {Bytes} salt @param {string} label @param {Uint8Array | string} material */
const extract = (suite, salt, label, material) => mac(salt, bytes("HPKE-v1", suite, label, material));

/** At most one block of HKDF's, which is all that these lengths need.
 * @param {Bytes} suite @param {Bytes} secret @param {string} label @param {Uint8Array} info @param {number} length */
async function expand(suite, secret, label, info, length) {
  const block = await mac(secret, bytes([length >> 8, length & 255], "HPKE-v1", suite, label, info, [1]));
  return block.slice(0, length);
}

/** Seals to a public key (65 bytes, uncompressed).
 * @param {Bytes} to @param {string} info @param {Bytes} associated @param {Bytes} clear
 * @returns {Promise<{enc: Bytes, ciphertext: Bytes}>} */
export async function seal(to, info, associated, clear) {
  const once = await subtle.generateKey(CURVE, false, ["deriveBits"]);
  const enc = new Uint8Array(await subtle.exportKey("raw", once.publicKey));
  const bank = await subtle.importKey("raw", to, CURVE, false, []);
  const agreed = new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: bank }, once.privateKey, 256));
  const none = new Uint8Array();
  const drawn = await extract(KEM, none, "eae_prk", agreed);
  const shared = await expand(KEM, drawn, "shared_secret", bytes(enc, to), 32);
  const context = bytes([0], await extract(SUITE, none, "psk_id_hash", ""), await extract(SUITE, none, "info_hash", info));
  const secret = await extract(SUITE, shared, "secret", "");
  const key = await subtle.importKey("raw", await expand(SUITE, secret, "key", context, 32), "AES-GCM", false, ["encrypt"]);
  const iv = await expand(SUITE, secret, "base_nonce", context, 12);
  const ciphertext = await subtle.encrypt({ name: "AES-GCM", iv, additionalData: associated }, key, clear);
  return { enc, ciphertext: new Uint8Array(ciphertext) };
}
