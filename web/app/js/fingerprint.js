// Opening by fingerprint or face: WebAuthn's PRF extension gives a secret only after the platform has verified its user, and under a
// key made of it lies the stretched PIN. Each time it is wrapped anew with a fresh salt, so that the key is another.

import { bytes, random } from "./crypto/bytes.js";
import { Trouble } from "./trouble.js";

/** @typedef {import("./crypto/bytes.js").Bytes} Bytes */
/** @typedef {import("./kept.js").Wrapped} Wrapped */

const { subtle } = globalThis.crypto;
const INFO = "ramz-fingerprint-1";
/** In the flags of an authenticator's data: the user was verified (WebAuthn, section 6.1). */
const USER_VERIFIED = 4;

/** Whether this browser may be able to. What the authenticator can do shows at the first try. */
export async function possible() {
  const ask = globalThis.PublicKeyCredential;
  if (!ask?.isUserVerifyingPlatformAuthenticatorAvailable) return false;
  const can = await ask.getClientCapabilities?.().catch(() => null);
  if (can && can["extension:prf"] === false) return false;
  return ask.isUserVerifyingPlatformAuthenticatorAvailable().catch(() => false);
}

/** Wraps: with the credential of before, if there is one; else with a new one of this name.
 * @param {Bytes} stretched @param {Bytes | undefined} before @param {string} name @returns {Promise<Wrapped>} */
export async function wrap(stretched, before, name) {
  const [credential, salt, iv] = [before ?? (await created(name)), random(32), random(12)];
  const key = await keyOf(credential, salt);
  return { credential, salt, iv, wrapped: new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, stretched)) };
}

/** The stretched PIN. @param {Wrapped} wrapped @returns {Promise<Bytes>} */
export async function unwrap({ credential, salt, iv, wrapped }) {
  if (!wrapped) throw new Trouble("no-prf");
  const key = await keyOf(credential, salt);
  try {
    return new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv }, key, wrapped));
  } catch {
    throw new Trouble("no-prf");
  }
}

/** @param {string} name @returns {Promise<Bytes>} */
async function created(name) {
  const made = await asked(() => navigator.credentials.create({
    publicKey: {
      rp: { name },
      user: { id: random(16), name, displayName: name },
      challenge: random(32),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -257 }],
      // Some platforms have the extension for discoverable credentials only.
      authenticatorSelection: { authenticatorAttachment: "platform", residentKey: "required", userVerification: "required" },
      extensions: { prf: {} },
    },
  }));
  if (made.getClientExtensionResults().prf?.enabled !== true) throw new Trouble("no-prf");
  return new Uint8Array(made.rawId);
}

/** @param {Bytes} credential @param {Bytes} salt */
async function keyOf(credential, salt) {
  const got = await asked(() => navigator.credentials.get({
    publicKey: {
      challenge: random(32),
      allowCredentials: [{ type: "public-key", id: credential }],
      userVerification: "required",
      extensions: { prf: { eval: { first: salt } } },
    },
  }));
  const data = new Uint8Array(/** @type {AuthenticatorAssertionResponse} */ (got.response).authenticatorData);
  const first = got.getClientExtensionResults().prf?.results?.first;
  if (!first || ((data[32] ?? 0) & USER_VERIFIED) === 0) throw new Trouble("no-prf");
  const drawn = ArrayBuffer.isView(first) ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength) : new Uint8Array(first);
  const copy = bytes(drawn);
  const material = await subtle.importKey("raw", copy, "HKDF", false, ["deriveKey"]);
  for (const secret of [copy, drawn]) secret.fill(0);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: bytes(INFO) };
  return subtle.deriveKey(how, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** @param {() => Promise<Credential | null>} ask @returns {Promise<PublicKeyCredential>} */
async function asked(ask) {
  try {
    const answer = await ask();
    if (answer) return /** @type {PublicKeyCredential} */ (answer);
  } catch (error) {
    // A platform that cannot says so by other names.
    if (error instanceof DOMException && !["NotAllowedError", "AbortError"].includes(error.name)) throw new Trouble("no-prf");
  }
  throw new Trouble("cancelled");
}
