// What the app's modules do against a bank's real door, in a real browser, without the screens: answers that are lost, PINs that are
// wrong, clocks that are off, two windows at once.

import assert from "node:assert/strict";

import { freed, Holder } from "./holder.mjs";
import { until } from "./lab.mjs";
import { paid } from "./payer.mjs";

const PIN = "271828";
const OTHER = "314159";
const MINUTE_MS = 60_000;
/** Nothing that is done while a request is held waits for it. */
const HELD_MS = 15_000;

const cardOf = (lab, n = 1) => lab.card(lab.known.banks[1].id, n);

/** The code of one minute long ago: what the seed under this PIN is. */
async function codeThen(holder, reference, slot = "second", ceiling = 3) {
  const { offsetMs } = await holder.get("clock");
  return (await holder.did("code", reference, slot, ceiling, 1_000 * MINUTE_MS - offsetMs)).code;
}

/** A window of the holder in which the app is open. */
async function unlocked(holder, pin = PIN) {
  await holder.reload();
  await holder.did("unlock", pin);
}

export const tests = {
  async "from the receipt to a code that pays, and every answer on the way may be lost once"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    desk.expect("net::ERR_FAILED");
    const { receipt, sms } = await lab.activation(card);
    const typed = { receipt: receipt.replace(/(.{4})/, "$1 "), sms, name: " browser " };
    await holder.loseAnswer("POST", "/app/activations");
    await holder.fails("offline", "activate", typed);
    assert.equal(await holder.get("stage"), "new");
    await holder.reload();
    await holder.did("activate", typed);
    assert.equal(await holder.get("stage"), "activated");
    await holder.fails("not-open", "addCard", card);
    await holder.did("choosePin", PIN);
    await holder.loseAnswer("POST", "/app/cards");
    await holder.fails("unanswered", "addCard", card);
    // Once more in the same window: it is the same card, and the same seed.
    const reference = await holder.did("addCard", card);
    assert.equal(await holder.get("stage"), "ready");
    const devices = (await holder.did("devices")).filter(({ cards }) => cards > 0);
    assert.deepEqual(devices.map(({ name, cards, this: own }) => ({ name, cards, own })), [{ name: "browser", cards: 1, own: true }], "one device, one card");
    const [told] = await holder.get("cards");
    assert.deepEqual([told.reference, told.ending, told.bank], [reference, card.pan.slice(-4), card.bank]);
    await holder.did("prove");
    await holder.nextMinute();
    // A change that was made and not answered: the code of this minute is gone, and the next does it.
    await holder.loseAnswer("PUT", `/app/cards/${reference}/first-pin`);
    await holder.fails("unanswered", "switchPin", reference, "first", true);
    const { retryAfterS } = await holder.fails("wait", "switchPin", reference, "first", true);
    assert.ok(retryAfterS > 0 && retryAfterS <= 60, `${retryAfterS} s`);
    await holder.did("refresh");
    assert.equal((await holder.get("cards"))[0].first.on, true);
    await holder.nextMinute();
    await holder.did("switchPin", reference, "first", false);
    await paid(desk, lab, card, await holder.code(reference));
  },

  async "an addition whose answer was lost is found when the app is opened again, with the PIN of then"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    desk.expect("net::ERR_FAILED", "409 (Conflict)");
    const { receipt, sms } = await lab.activation(card);
    await holder.did("activate", { receipt, sms, name: "browser" });
    await holder.did("choosePin", PIN);
    await holder.loseAnswer("POST", "/app/cards");
    await holder.fails("unanswered", "addCard", card);
    await holder.reload();
    assert.equal(await holder.get("stage"), "activated");
    await holder.fails("already-exists", "choosePin", OTHER);
    assert.equal(await holder.get("stage"), "ready");
    await holder.did("unlock", PIN);
    await holder.did("prove");
    // A card that the bank has and this phone has no seed for: it was restored to what it was before, say.
    const [{ reference }] = await holder.get("cards");
    await holder.alter({ cards: [], pending: [] });
    await holder.did("choosePin", OTHER);
    const anew = await holder.did("addCard", card);
    assert.notEqual(anew, reference);
    assert.deepEqual((await holder.get("cards")).map((one) => one.reference), [anew]);
    await holder.did("prove");
    assert.equal(await holder.did("addCard", card), anew, "one that is there is the one");
    assert.equal((await holder.get("cards")).length, 1, "a card that is there is not lost by being added again");
    // The other way round: the bank has one no more.
    await holder.page.evaluate(async (reference) => {
      const { Kept } = await import("/assets/js/kept.js");
      await new Kept().change((state) => {
        state.cards = [...state.cards, { ...state.cards[0], reference }];
      });
    }, reference);
    await holder.reload();
    assert.equal((await holder.get("cards")).length, 2);
    await holder.did("refresh");
    assert.deepEqual((await holder.get("cards")).map((one) => one.reference), [anew]);
  },

  async "an addition whose answer was lost, and that the bank has told of since, leads to the card that is there"(desk, lab) {
    const [card, second] = lab.twoOfOnePhone();
    const holder = await Holder.of(desk, lab, card);
    freed(desk, lab, second);
    desk.expect("net::ERR_FAILED");
    const { receipt, sms } = await lab.activation(card);
    await holder.did("activate", { receipt, sms, name: "browser" });
    await holder.did("choosePin", PIN);
    await holder.loseAnswer("POST", "/app/cards");
    await holder.fails("unanswered", "addCard", card);
    // As when the app is looked at again.
    await holder.did("refresh");
    const [{ reference }] = await holder.get("cards");
    assert.equal(await holder.did("addCard", card), reference);
    // Of an app that was closed meanwhile nothing is known of what was typed.
    await holder.loseAnswer("POST", "/app/cards");
    await holder.fails("unanswered", "addCard", second);
    await unlocked(holder);
    await holder.nextMinute();
    const other = await holder.did("addCard", second);
    assert.deepEqual((await holder.get("cards")).map((one) => [one.reference, one.ending]), [[reference, card.pan.slice(-4)], [other, second.pan.slice(-4)]]);
    await holder.nextMinute();
    await holder.did("prove", other);
  },

  async "a wrong PIN opens, adds no card and changes none, and the right one does"(desk, lab) {
    const [card, second] = [cardOf(lab), cardOf(lab, 2)];
    const holder = await Holder.of(desk, lab, card);
    freed(desk, lab, second);
    desk.expect("403 (Forbidden)");
    const reference = await holder.begin(PIN);
    const right = await codeThen(holder, reference);
    await unlocked(holder, OTHER);
    assert.deepEqual([await holder.get("isOpen"), await holder.get("isProved")], [true, false]);
    assert.notEqual(await codeThen(holder, reference), right);
    // Within the first ten minutes the bank asks for no code; the phone does, or the seed would lie under a PIN that nobody knows.
    await holder.fails("control-code", "addCard", second);
    assert.deepEqual([(await holder.get("cards")).length, (await holder.did("devices")).find((one) => one.this).cards], [1, 1]);
    await holder.nextMinute();
    await holder.fails("control-code", "changePin", OTHER, "161803");
    assert.equal(await holder.get("isProved"), false);
    await unlocked(holder);
    assert.equal(await codeThen(holder, reference), right);
    await holder.nextMinute();
    const other = await holder.did("addCard", second);
    assert.equal(await holder.get("isProved"), true);
    // Each has a code of its own for this minute, or the next.
    await holder.nextMinute();
    await holder.did("prove", reference);
    await holder.did("prove", other);
    await holder.fails("wait", "prove", other);
    // Eleven minutes later a code goes with the addition itself.
    await holder.did("remove", other);
    await lab.advance(11 * 60);
    await unlocked(holder);
    await holder.did("addCard", second);
    assert.equal(await holder.get("isProved"), true);
  },

  async "another PIN: the same codes, other masks, and of the old one nothing is left"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    desk.expect("403 (Forbidden)");
    const reference = await holder.begin(PIN);
    const code = () => codeThen(holder, reference);
    const kept = () => holder.page.evaluate(async () => {
      const { hex } = await import("/assets/js/crypto/bytes.js");
      const { Kept } = await import("/assets/js/kept.js");
      const kept = new Kept();
      await kept.read();
      return [hex(kept.state.salt), hex(kept.state.cards[0].masked)];
    });
    const [before, was] = [await code(), await kept()];
    const window = await holder.another();
    await window.did("unlock", PIN);
    await holder.did("changePin", PIN, OTHER);
    assert.equal(await code(), before);
    const is = await kept();
    for (const n of [0, 1]) assert.notEqual(is[n], was[n]);
    // Another window of the app is of the old PIN, and closes.
    await until("the other window to lock", async () => !(await window.get("isOpen")));
    await window.did("unlock", OTHER);
    assert.equal(await codeThen(window, reference), before);
    await unlocked(holder, PIN);
    assert.notEqual(await code(), before);
    await holder.nextMinute();
    await holder.fails("control-code", "prove");
    await unlocked(holder, OTHER);
    await holder.nextMinute();
    await holder.did("prove");
  },

  async "while a change of the PIN asks the bank, what is open gives its own codes, and what is typed after a lock stays as it was typed"(desk, lab) {
    const holder = await Holder.of(desk, lab, cardOf(lab));
    desk.expect("403 (Forbidden)");
    const reference = await holder.begin(PIN);
    const seen = async () => [await codeThen(holder, reference), await holder.get("picture"), await holder.get("isProved")];
    const right = await seen();
    const check = `/app/cards/${reference}/check`;
    /** What is seen while the bank is asked, and afterwards. */
    const during = async (kind, old, doing = () => {}) => {
      await holder.nextMinute();
      let meanwhile;
      const { slow } = await holder.hold("POST", check, async () => {
        await doing();
        meanwhile = await seen();
      }, HELD_MS);
      await holder.fails(kind, "changePin", old, "161803");
      await slow();
      return [meanwhile, await seen()];
    };
    assert.equal(right[2], true);
    assert.deepEqual(await during("control-code", OTHER), [right, right], "a mistyped old PIN is tried, and not opened");
    // The holder locks, and somebody types whatever PIN.
    const typed = (pin) => async () => {
      await holder.did("lock");
      await holder.did("unlock", pin);
    };
    const [wrong, then] = await during("not-open", PIN, typed(OTHER));
    assert.ok(wrong[0] !== right[0] && !wrong[2]);
    assert.deepEqual(then, wrong, "no other PIN than the typed one");
    assert.deepEqual(await during("not-open", PIN, typed(PIN)), [[right[0], right[1], false], [right[0], right[1], false]]);
    // Nothing is kept of a change that was not made.
    await holder.nextMinute();
    await holder.did("prove");
    await holder.nextMinute();
    await holder.did("changePin", PIN, OTHER);
    assert.deepEqual([(await seen())[0], await holder.get("isProved")], [right[0], true]);
  },

  async "a fingerprint opens what the PIN opens, until the PIN is another"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    const { session, authenticatorId } = await holder.finger();
    const reference = await holder.begin(PIN);
    const code = () => codeThen(holder, reference);
    const before = await code();
    await holder.fails("no-prf", "unlockByFingerprint");
    await holder.did("enableFingerprint");
    assert.deepEqual(await holder.get("fingerprint"), { on: true });
    await holder.did("lock");
    await holder.fails("not-open", "code", reference, "first", 1);
    await holder.did("unlockByFingerprint");
    assert.deepEqual([await code(), await holder.get("isProved")], [before, true]);
    await holder.did("lock");
    await holder.did("unlock", PIN);
    await holder.did("changePin", PIN, OTHER);
    assert.deepEqual(await holder.get("fingerprint"), { on: false });
    await holder.fails("no-prf", "unlockByFingerprint");
    await holder.did("enableFingerprint");
    const { credentials } = await session.send("WebAuthn.getCredentials", { authenticatorId });
    assert.equal(credentials.length, 1, "the platform is asked for no second one");
    await holder.did("lock");
    await holder.did("unlockByFingerprint");
    assert.equal(await code(), before);
    await holder.did("disableFingerprint");
    await holder.did("lock");
    await holder.fails("no-prf", "unlockByFingerprint");
    // Another finger; then a platform that has forgotten, which is asked once more and then for a new one; then one that cannot.
    await holder.did("unlock", OTHER);
    await holder.nextMinute();
    await holder.did("enableFingerprint");
    await holder.did("lock");
    await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await holder.fails("cancelled", "unlockByFingerprint");
    await session.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
    const next = await holder.finger();
    await holder.did("unlock", OTHER);
    await holder.nextMinute();
    await holder.did("prove");
    await holder.fails("cancelled", "enableFingerprint");
    await holder.did("enableFingerprint");
    await holder.did("lock");
    await holder.did("unlockByFingerprint");
    await next.session.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: next.authenticatorId });
    await holder.finger({ hasPrf: false });
    await holder.alter({ fingerprint: null });
    await holder.did("unlock", OTHER);
    await holder.nextMinute();
    await holder.fails("no-prf", "enableFingerprint");
    assert.deepEqual(await holder.get("fingerprint"), { on: false });
  },

  async "clocks: the phone's may be off by hours, or be set meanwhile, and whatever the bank has learned, the present minute's code is good"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    desk.expect("401 (Unauthorized)");
    await holder.page.clock.setSystemTime((await lab.now()) - 5 * 3_600_000);
    const reference = await holder.begin(PIN);
    const { offsetMs } = await holder.get("clock");
    assert.ok(Math.abs(offsetMs - 5 * 3_600_000) < 5_000, `${offsetMs} ms`);
    await holder.did("prove");
    const told = await holder.did("code", reference, "second", 0);
    assert.ok(told.leftMs > 0 && told.leftMs <= MINUTE_MS && Math.abs(told.untilMs + offsetMs - (told.step + 1) * MINUTE_MS) < 1);
    // Somebody sets the clock while the app is open: the next request finds out.
    await lab.advance(3600);
    await holder.did("refresh");
    await holder.did("prove");
    // Codes of the next minutes were taken: the bank takes the phone to be ahead, by no more than leaves it room.
    for (const ahead of [1, 2]) {
      // Each at the beginning of a minute, so that it is paid in that one.
      await lab.advance(await lab.nextMinuteIn());
      await holder.did("learnTime");
      const { code } = await holder.did("code", reference, "second", 0, (await holder.page.evaluate(() => Date.now())) + ahead * MINUTE_MS);
      await paid(desk, lab, card, code);
    }
    await holder.did("refresh");
    assert.equal((await holder.get("cards"))[0].clock.drift_steps, 1);
    await lab.advance(180);
    await holder.did("learnTime");
    await paid(desk, lab, card, (await holder.did("code", reference, "second", 0)).code);
    await holder.did("refresh");
    assert.equal((await holder.get("cards"))[0].clock.drift_steps, 0);
    await holder.nextMinute();
    await holder.did("setCeiling", reference, "second", 1);
    await holder.did("setCeiling", reference, "second", 0);
    await lab.advance(180);
    await holder.did("learnTime");
    await paid(desk, lab, card, (await holder.did("code", reference, "second", 0)).code);
  },

  async "two windows write at once, and each write is done once; without a network codes are computed"(desk, lab) {
    const card = cardOf(lab);
    const holder = await Holder.of(desk, lab, card);
    desk.expect("net::ERR_INTERNET_DISCONNECTED", "401 (Unauthorized)");
    const reference = await holder.begin(PIN);
    const window = await holder.another();
    const { device } = (await holder.did("devices")).find((one) => one.this);
    // What was signed first arrives first, also if it is long on its way.
    const { slow } = await holder.hold("PUT", `/app/devices/${device}`, () => window.did("renameDevice", device, "second"));
    assert.deepEqual([(await holder.did("renameDevice", device, "first")).name, (await slow()).name], ["first", "second"]);
    const names = Array.from({ length: 12 }, (_, n) => `name ${n}`);
    const renamed = await Promise.all(names.map((name, n) => (n % 2 ? holder : window).did("renameDevice", device, name)));
    assert.deepEqual(renamed.map(({ name }) => name), names);
    // An older copy of what is kept: its counter is behind what the bank has seen.
    await holder.alter({ counter: 0 });
    await holder.did("renameDevice", device, "browser");
    await holder.page.context().setOffline(true);
    await holder.fails("offline", "refresh");
    await holder.did("unlock", PIN);
    const { code } = await holder.did("code", reference, "second", 0);
    await holder.page.context().setOffline(false);
    await paid(desk, lab, card, code);
    // Locked in the middle of what it does: nothing is done by halves.
    await holder.nextMinute();
    await holder.hold("POST", `/app/cards/${reference}/check`, () => holder.does("lock"));
    await holder.fails("not-open", "changePin", PIN, OTHER);
    assert.equal(await holder.get("isOpen"), false, "a lock is not undone by what the bank answers");
    await unlocked(holder, PIN);
    await holder.nextMinute();
    await holder.did("prove");
    // Taken away: whatever it asks, it is no device any more. Then everything goes, in both windows.
    await window.did("revokeDevice", device);
    await holder.fails("no-such-device", "refresh");
    await holder.did("forget");
    await until("the other window to hear of it", async () => (await window.get("stage")) === "new");
    assert.equal(await holder.get("stage"), "new");
    const left = await holder.page.evaluate(async () => {
      const { Kept } = await import("/assets/js/kept.js");
      const kept = new Kept();
      await kept.read();
      return [kept.state.pair, kept.state.secret, kept.state.salt, kept.state.cards.length];
    });
    assert.deepEqual(left, [null, null, null, 0]);
  },
};
