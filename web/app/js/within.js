// A limit to how long something is waited for. `AbortSignal.timeout` wants a newer browser than some phones have.

/** Does what can be called off, and calls it off when the time is over.
 * @template T @param {number} ms @param {(late: AbortSignal) => Promise<T>} work @returns {Promise<T>} */
export async function within(ms, work) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms);
  try {
    return await work(late.signal);
  } finally {
    clearTimeout(timer);
  }
}
