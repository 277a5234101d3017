// A control code is good for one minute and once. Where this minute's is used up, the next is waited for, and the person is told.

import { say } from "../words/words.js";

/**
 * @template T
 * @param {() => Promise<T>} act
 * @param {(text: string) => void} tell
 * @returns {Promise<T>}
 */
export async function patiently(act, tell) {
  for (;;) {
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
