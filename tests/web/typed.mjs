// What people type: digits in three scripts, and PINs that a thief tries first.

import assert from "node:assert/strict";

import { APP } from "./vectors.mjs";

const { digitsOf } = await import(`${APP}digits.js`);
const { isSimple, Opened } = await import(`${APP}lock.js`);

export const tests = {
  async "digits of three scripts are one number, and what stands between them goes"() {
    assert.equal(digitsOf("۰۱۲۳-٤٥٦٧ ‌x۸۹\u200e 12"), "012345678912");
    assert.equal(digitsOf("１２３"), "123");
    assert.equal(digitsOf(""), "");
  },

  async "PINs that a thief tries first are known"() {
    for (const pin of ["000000", "123456", "654321", "234567", "890123", "121212", "123123", "12341234", "111222", "112233", "246802", "۱۲۳۴۵۶"]) assert.ok(isSimple(pin), pin);
    for (const pin of ["271828", "314159", "102030", "135790"]) assert.ok(!isSimple(pin), pin);
  },

  async "a PIN of fewer than six digits, or of none, is refused"() {
    for (const pin of ["", "12345", "abcdef", "1".repeat(33)]) await assert.rejects(Opened.by(pin), { kind: "malformed" });
  },

  async "a PIN is the same in each script, and what it opened is gone once it is wiped"() {
    const salt = new Uint8Array(16);
    const [one, other] = [await Opened.by("271828", salt), await Opened.by("۲۷۱ ۸۲۸", salt)];
    assert.deepEqual(one.stretched, other.stretched);
    assert.ok(one.fits(salt) && !one.fits(new Uint8Array(16).fill(1)) && !one.fits(null));
    assert.equal(one.proved, false);
    assert.equal((await Opened.by("271828")).proved, true, "one that is chosen is right");
    one.wipe();
    assert.deepEqual(one.stretched, new Uint8Array(32));
    await assert.rejects(one.masked(null, "00", salt), { kind: "not-open" });
  },
};
