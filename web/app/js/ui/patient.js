// A control code is good for one minute and once. Where this minute's is used up, the next is waited for, and the person is told.

import { Trouble } from "../trouble.js";
import { say } from "../words/words.js";

/**
 * @template T
 * @param {HTMLElement} where what asked for it: once that is gone, by another screen or the lock, nothing is done any more
 * @param {() => T | Promise<T>} act
 * @param {(text: string) => void} tell
 * @returns {Promise<T>}
 */
export async function patiently(where, act, tell) {
  for (;;) {
    if (!where.isConnected) throw new Trouble("cancelled");
    try {
      return await act();
    } catch (error) {
      const { kind, retryAfterS = 1 } = /** @type {Partial<import("../trouble.js").Trouble>} */ (error);
      if (kind !== "wait") throw error;
      for (let left = retryAfterS; left > 0; left--) {
        tell(say("waitCode", { seconds: left }));
        await new Promise((go) => setTimeout(go, 1000));
      }
    }
  }
}
