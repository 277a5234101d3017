// HPKE (RFC 9180) as a browser does it: base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, by WebCrypto alone. The
// sender's side, one message.

const { subtle } = globalThis.crypto;
const KEM = bytes("KEM", [0, 0x10]);
const SUITE = bytes("HPKE", [0, 0x10, 0, 1, 0, 2]);
const CURVE = { name: "ECDH", namedCurve: "P-256" };

/** Texts and bytes in one. */
export function bytes(...parts) {
  const all = parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : Uint8Array.from(part)));
  const joined = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function hmac(key, data) {
  // WebCrypto takes no empty key; HMAC fills any with zeros.
  const material = key.length === 0 ? new Uint8Array(32) : key;
  const imported = await subtle.importKey("raw", material, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, data));
}

const extract = (suite, salt, label, material) => hmac(salt, bytes("HPKE-v1", suite, label, material));

/** At most one block of HKDF's, which is all that these lengths need. */
async function expand(suite, secret, label, info, length) {
  const block = await hmac(secret, bytes([length >> 8, length & 255], "HPKE-v1", suite, label, info, [1]));
  return block.slice(0, length);
}

/** Seals to a public key (65 bytes, uncompressed): what is sent, `{ enc, ciphertext }`. */
export async function seal(to, info, associated, clear) {
  const once = await subtle.generateKey(CURVE, false, ["deriveBits"]);
  const enc = new Uint8Array(await subtle.exportKey("raw", once.publicKey));
  const bank = await subtle.importKey("raw", to, CURVE, false, []);
  const agreed = new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: bank }, once.privateKey, 256));
  const drawn = await extract(KEM, [], "eae_prk", agreed);
  const shared = await expand(KEM, drawn, "shared_secret", bytes(enc, to), 32);
  const context = bytes([0], await extract(SUITE, [], "psk_id_hash", []), await extract(SUITE, [], "info_hash", info));
  const secret = await extract(SUITE, shared, "secret", []);
  const key = await subtle.importKey("raw", await expand(SUITE, secret, "key", context, 32), "AES-GCM", false, ["encrypt"]);
  const iv = await expand(SUITE, secret, "base_nonce", context, 12);
  const ciphertext = await subtle.encrypt({ name: "AES-GCM", iv, additionalData: bytes(associated) }, key, clear);
  return { enc, ciphertext: new Uint8Array(ciphertext) };
}
