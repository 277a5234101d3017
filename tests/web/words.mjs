// What went wrong, in the words of the app's first language.

import assert from "node:assert/strict";

import { APP } from "./vectors.mjs";

// All that the words ask of a page: which language it wants.
globalThis.location ??= { search: "?lang=fa" };
const { say } = await import(`${APP}words/words.js`);
const { Trouble } = await import(`${APP}trouble.js`);
const { isStale, words } = await import(`${APP}ui/trouble.js`);

const INCIDENT = "7f3c2a90-1b4d-4e8f-9a06-5d2c81e07b34";

export const tests = {
  async "an incident stands in Persian as the bank's log has it, and apart from what runs the other way"() {
    const text = words(new Trouble("fault", { incident: INCIDENT }));
    assert.ok(text.includes(`\u2066${INCIDENT}\u2069`), text);
    assert.ok(say("troubleLater", { seconds: 30 }).startsWith("۳۰ "), "figures are Persian");
  },

  async "a fault of the bank's is no word that nothing was done: the person is to look, and the screen to be drawn anew"() {
    const fault = new Trouble("fault", { incident: INCIDENT });
    assert.ok(words(fault).includes("شاید انجام شده باشد"), words(fault));
    assert.ok(isStale(fault) && !fault.nothingDone);
  },

  async "a change whose answer was lost may have been done, and one that never left the phone was not"() {
    const lost = new Trouble("unanswered");
    assert.ok(words(lost).includes("شاید انجام شده باشد"), words(lost));
    assert.ok(isStale(lost) && !lost.nothingDone);
    const offline = new Trouble("offline");
    assert.ok(!words(offline).includes("شاید") && !isStale(offline), words(offline));
  },

  async "a long wait is told in minutes or hours, and a short one in seconds"() {
    for (const kind of ["too-many-requests", "control-locked"]) {
      for (const [retryAfterS, told] of [[1, "۱ ثانیه"], [120, "۱۲۰ ثانیه"], [121, "۳ دقیقه"], [3_400, "۵۷ دقیقه"], [7_200, "۱۲۰ دقیقه"], [86_400, "۲۴ ساعت"]]) {
        const text = words(new Trouble(kind, { retryAfterS }));
        assert.ok(text.includes(`${told}‌ی دیگر`) || text.includes(`${told} دیگر`), text);
      }
    }
  },

  async "a card that was taken off a short while ago is no phone that was, and when it can be added again is told in minutes"() {
    const error = new Trouble("card-taken-off", { retryAfterS: 3541 });
    const text = words(error);
    assert.ok(text.includes("۶۰ دقیقه") && text !== words(new Trouble("no-such-device")), text);
    assert.ok(error.nothingDone, "what was asked for is not kept as pending");
  },

  async "what the bank refuses in its own way has words of its own, and none says to try later what never goes"() {
    const kinds = ["token-exists", "already-exists", "not-found", "counter-used", "no-such-device", "device-limit"];
    const said = kinds.map((kind) => words(new Trouble(kind)));
    assert.equal(new Set([...said, say("troubleOther")]).size, kinds.length + 1);
    for (const text of said.slice(0, 3)) assert.ok(!/دوباره|کمی بعد/.test(text), text);
    assert.deepEqual(kinds.filter((kind) => isStale(new Trouble(kind))), ["not-found", "counter-used"]);
  },
};
