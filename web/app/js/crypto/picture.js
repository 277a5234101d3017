// The picture that an app's PIN draws, so that its holder sees a typing error: of seven bits, no more. Whoever looks over a shoulder
// and has the storage as well can then rule out 127 of 128 PINs, and not find the one.

import { bytes, hmac, hmacKey } from "./bytes.js";

/** @typedef {{ shape: number, colour: number }} Picture shape: 0 to 15, colour: 0 to 7 */

/** @param {import("./bytes.js").Bytes} stretched @returns {Promise<Picture>} */
export async function pictureOf(stretched) {
  const byte = (await hmac(await hmacKey(stretched), bytes("picture")))[0] ?? 0;
  return { shape: byte & 15, colour: (byte >> 4) & 7 };
}
