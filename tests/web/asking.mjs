// What a phone takes over from the bank's answers, without a bank: what is kept is an object here, and answers are given by hand.

import assert from "node:assert/strict";

import { APP } from "./vectors.mjs";

const { Asking } = await import(`${APP}asking.js`);
const { Trouble } = await import(`${APP}trouble.js`);
const { base64url } = await import(`${APP}crypto/bytes.js`);

/** A phone without cards, whose questions are answered so; an error is thrown. */
function phone(answer) {
  const activated = { device: "d5", keyVersion: 1, key: Uint8Array.of(4, 1, 1), addUntilMs: 0 };
  const state = { offsetMs: 0, activated, pair: {}, counter: 0, cards: [], pending: [] };
  const kept = { state, read: async () => {}, change: async (change) => change(state) };
  return { state, asking: new Asking(kept, { ask: async (method, path) => ({ now_ms: Date.now(), ...answer(path, method) }) }) };
}

const [x, y] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(9)];
const newest = { version: 2, jwk: { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) } };

export const tests = {
  async "the bank's newest receive key comes with the cards, and is what seeds are sealed to from then on"() {
    const { asking, state } = phone((path) => (path === "/app/cards" ? { receive_key: newest, cards: [] } : {}));
    await asking.refresh();
    assert.deepEqual([state.activated.keyVersion, state.activated.key], [2, Uint8Array.of(4, ...x, ...y)]);
    assert.equal(state.activated.device, "d5", "it is the same device");
  },

  async "a bank of the release before says none, and the one of the activation stays"() {
    const { asking, state } = phone((path) => (path === "/app/cards" ? { cards: [] } : {}));
    await asking.refresh();
    assert.deepEqual([state.activated.keyVersion, state.activated.key], [1, Uint8Array.of(4, 1, 1)]);
  },

  async "a change that was sent and not answered may have been done; what had to come before one, and a question, have changed nothing"() {
    const { asking, state } = phone((path) => {
      if (path !== "/app/time") throw new Trouble(silence);
      return {};
    });
    state.cards.push({ reference: "a5", controlUsed: 0, told: { clock: { drift_steps: 0 }, control: { locked: false } } });
    asking.controls = async () => ["0000000"];
    asking.opened = { fits: () => true };
    let silence;
    for (silence of ["offline", "issuer-unavailable"]) {
      await assert.rejects(asking.alone(() => asking.changed("first-pin", "a5", { on: true }, true)), { kind: "unanswered" });
      await assert.rejects(asking.alone(() => asking.resync("a5")), { kind: "unanswered" });
      await assert.rejects(asking.alone(() => asking.refresh()), { kind: silence });
      await assert.rejects(asking.alone(() => asking.prove("a5")), { kind: "offline" });
    }
    state.cards[0].told.clock.drift_steps = 2;
    await assert.rejects(asking.alone(() => asking.changed("first-pin", "a5", { on: true }, true)), { kind: "offline" });
    navigator.onLine = false;
    silence = "offline";
    await assert.rejects(asking.alone(() => asking.resync("a5")), { kind: "offline" });
    delete navigator.onLine;
  },

  async "a card whose control codes the bank looks for in other minutes is resynced before one is sent, also if it finds payments"() {
    for (const [clock, path] of [[{ drift_steps: 1, control_steps: 2 }, "resync"], [{ drift_steps: 1, control_steps: 0 }, "check"], [{ drift_steps: 0 }, "check"]]) {
      const asked = [];
      const { asking, state } = phone((path) => { asked.push(path); return { reference: "a5" }; });
      state.cards.push({ reference: "a5", controlUsed: 0, told: { clock, control: { locked: false } } });
      asking.controls = async () => ["0000000", "0000000"];
      asking.opened = { fits: () => true };
      await asking.alone(() => asking.prove());
      assert.deepEqual(asked, ["/app/time", `/app/cards/a5/${path}`]);
    }
  },
};
