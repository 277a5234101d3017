// The bank's time, as a phone takes it from an answer: in the middle between question and answer, if the phone was awake for both.

import assert from "node:assert/strict";

import { APP } from "./vectors.mjs";

const { Asking } = await import(`${APP}asking.js`);
const { Trouble } = await import(`${APP}trouble.js`);

const SLEEP_MS = 40 * 60_000;

/** A phone whose clock goes on by so much during each request, and whose bank is 5 s ahead. It takes the proof of the request numbered `refused` for
 * one of another time. */
async function phone(requests, test, refused = -1) {
  const { now } = Date;
  let phoneMs = 1_000_000_000_000;
  let asked = 0;
  const state = { offsetMs: 4_000, activated: { device: "d5" }, pair: {}, cards: [], pending: [] };
  const kept = { state, change: async (change) => change(state) };
  const bank = {
    async ask() {
      const told = phoneMs + 5_000;
      phoneMs += requests[asked] ?? 0;
      asked += 1;
      if (asked - 1 === refused) throw new Trouble("not-proved");
      return { now_ms: told, cards: [] };
    },
  };
  Date.now = () => phoneMs;
  try {
    await test(new Asking(kept, bank), state, () => asked);
  } finally {
    Date.now = now;
  }
}

export const tests = {
  async "the time is taken from the middle of a request"() {
    await phone([200], async (asking, state, asked) => {
      await asking.timed();
      assert.deepEqual([state.offsetMs, asked()], [4_900, 1]);
      await asking.timed();
      assert.equal(asked(), 1, "once is enough");
    });
  },

  async "a phone that slept over an answer, or whose clock was set back, asks once more and learns nothing from the first"() {
    for (const between of [SLEEP_MS, -3_600_000]) {
      await phone([between, 0], async (asking, state, asked) => {
        await asking.timed();
        assert.deepEqual([state.offsetMs, asked()], [5_000, 2]);
      });
    }
  },

  async "one that sleeps over both is as one without a network, and asks again the next time"() {
    await phone([SLEEP_MS, SLEEP_MS, 0], async (asking, state, asked) => {
      await assert.rejects(asking.timed(), { kind: "offline" });
      assert.deepEqual([state.offsetMs, asked()], [4_000, 2], "what it knew before stays");
      await asking.timed();
      assert.deepEqual([state.offsetMs, asked()], [5_000, 3]);
    });
  },

  async "an answer that was asked for something else tells the time on the same terms"() {
    await phone([], async (asking, state) => {
      const asked = Date.now() - SLEEP_MS;
      assert.equal(await asking.heard(asked, Date.now()), false);
      assert.equal(state.offsetMs, 4_000);
      assert.equal(await asking.heard(Date.now(), Date.now() + 7_000), true);
      assert.equal(state.offsetMs, 7_000);
    });
  },

  async "the list of cards tells the time by its own request alone"() {
    // The first question for the time is slow, as the first of a connection is.
    await phone([8_000, 200], async (asking, state, asked) => {
      await asking.refresh();
      assert.deepEqual([state.offsetMs, asked()], [4_900, 2]);
    });
    // Refused, since somebody has set the clock: asked for the time, and sent once more.
    await phone([200, 8_000, 200, 200], async (asking, state, asked) => {
      await asking.refresh();
      assert.deepEqual([state.offsetMs, asked()], [4_900, 4]);
    }, 1);
  },
};
