// Codes: the app's own module over a thousand cases of ours, and over everything that the RFCs publish.

import assert from "node:assert/strict";

import { APP, codes } from "./vectors.mjs";

/** Which of our cases come out otherwise. Stands alone: a browser runs it, too. */
export async function wrongOnes([folder, cases]) {
  const { fromHex, hmacKey } = await import(`${folder}crypto/bytes.js`);
  const { code } = await import(`${folder}crypto/ocra.js`);
  const wrong = [];
  for (const [seed, digits, purpose, ceiling, minute, expect] of cases) {
    const found = await code(await hmacKey(fromHex(seed)), digits, purpose, ceiling, minute);
    if (found !== expect) wrong.push(`${purpose} ${ceiling} at ${minute}: ${found}, not ${expect}`);
  }
  return wrong;
}

/** Which of the published ones. What the app's suite does not have (letters, counters, the hash of a PIN) is made into bytes here. */
export async function wrongPublished([folder, cases]) {
  const { bytes, fromHex, hmac, hmacKey } = await import(`${folder}crypto/bytes.js`);
  const { numeric, respond, truncated, whole } = await import(`${folder}crypto/ocra.js`);
  const filled = (text) => bytes(text, new Uint8Array(128 - text.length));
  const inputsOf = (one) => {
    const question = /:(?:C-)?QN/.test(one.suite) ? numeric(one.question) : filled((one.theirs ?? "") + one.question);
    const [counter, pin, time] = [one.counter, one.pin_hash, one.step];
    return [counter === undefined ? [] : whole(counter), question, fromHex(pin ?? ""), time === undefined ? [] : whole(time)];
  };
  const keyOf = (one) => {
    const hash = one.algorithm === "ocra" ? /HOTP-SHA(\d+)/.exec(one.suite)[1] : (one.hash ?? "sha1").slice(3);
    return hmacKey(fromHex(one.key), `SHA-${hash}`);
  };
  const wrong = [];
  for (const one of cases) {
    const key = await keyOf(one);
    const found = one.algorithm === "ocra"
      ? await respond(key, one.suite, ...inputsOf(one))
      : truncated(await hmac(key, whole(one.counter ?? one.step)), one.digits);
    if (found !== one.code) wrong.push(`${one.source}: ${found}, not ${one.code}`);
  }
  return wrong;
}

export const tests = {
  async "a thousand codes are those of the bank"() {
    assert.equal(codes.random.length, 1000);
    assert.deepEqual(await wrongOnes([APP, codes.random]), []);
  },

  async "every code that RFC 4226, RFC 6238 and RFC 6287 publish is computed"() {
    const of = (algorithm) => codes.published.filter((one) => one.algorithm === algorithm).length;
    assert.deepEqual([of("hotp"), of("totp"), of("ocra")], [10, 18, 70]);
    assert.deepEqual(await wrongPublished([APP, codes.published]), []);
  },
};
