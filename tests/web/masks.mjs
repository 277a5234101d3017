// Masks: a PIN made long, a seed under its mask and out of it, and the picture.

import assert from "node:assert/strict";

import { APP, masks } from "./vectors.mjs";

/** Which cases come out otherwise. Stands alone: a browser runs it, too. */
export async function wrongMasks([folder, cases]) {
  const { fromHex, hex, hmacKey } = await import(`${folder}crypto/bytes.js`);
  const { masked, stretch } = await import(`${folder}crypto/mask.js`);
  const { pictureOf } = await import(`${folder}crypto/picture.js`);
  const wrong = [];
  for (const one of cases) {
    const stretched = await stretch(one.pin, fromHex(one.salt));
    const secret = await hmacKey(fromHex(one.secret));
    const { shape, colour } = await pictureOf(stretched);
    const put = hex(await masked(secret, one.reference, stretched, fromHex(one.seed)));
    const taken = hex(await masked(secret, one.reference, stretched, fromHex(one.masked)));
    const found = { stretched: hex(stretched), masked: put, seed: taken, shape, colour };
    for (const [name, value] of Object.entries(found)) if (value !== one[name]) wrong.push(`${name} of ${one.reference}: ${value}, not ${one[name]}`);
  }
  return wrong;
}

export const tests = {
  async "a PIN is stretched, and a seed masked and unmasked, as other code does it"() {
    assert.ok(masks.cases.length >= 2);
    assert.deepEqual(await wrongMasks([APP, masks.cases]), []);
  },

  async "keys that are kept are read by nobody"() {
    const { newSecret } = await import(`${APP}crypto/mask.js`);
    const { newKey } = await import(`${APP}crypto/proof.js`);
    const [secret, pair] = [await newSecret(), await newKey()];
    assert.deepEqual([secret.extractable, pair.privateKey.extractable], [false, false]);
    assert.equal(secret.algorithm.length, 256);
  },

  async "pictures are spread over all 128"() {
    const { pictureOf } = await import(`${APP}crypto/picture.js`);
    const seen = new Set();
    for (let n = 0; n < 2000; n += 1) {
      const { shape, colour } = await pictureOf(Uint8Array.of(n & 255, n >> 8));
      assert.ok(shape >= 0 && shape < 16 && colour >= 0 && colour < 8);
      seen.add(shape * 8 + colour);
    }
    assert.equal(seen.size, 128);
  },
};
