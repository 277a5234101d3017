// Waiting, by the server's time: until the same card may ask again, and until the payment expires.

/** The server's clock, as last heard, carried on by a clock that nobody sets. */
export class ServerClock {
  constructor(nowMs) {
    this.hear(nowMs);
  }

  hear(nowMs) {
    this.server = nowMs;
    this.local = performance.now();
  }

  now() {
    return this.server + (performance.now() - this.local);
  }
}

/** `m:ss`. */
export function minutes(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Calls `tick(seconds left)` at once and every second until none is left. Returns how to stop it. */
export function countDown(clock, untilMs, tick) {
  let timer;
  const step = () => {
    const left = Math.max(0, Math.ceil((untilMs - clock.now()) / 1000));
    tick(left);
    if (left > 0) timer = setTimeout(step, 250);
  };
  step();
  return () => clearTimeout(timer);
}

/**
 * Which cards of this page must wait, kept over a reload: the moment and the last four digits, never more of a number. It
 * only spares the payer a refusal: the gateway itself keeps the time.
 */
export class Waits {
  constructor(payment) {
    this.key = `ramz:${payment}`;
    this.waits = {};
    try {
      this.waits = JSON.parse(sessionStorage.getItem(this.key) ?? "{}");
    } catch {
      // No storage, or not ours: the gateway still refuses what comes too soon.
    }
  }

  put(lastFour, untilMs) {
    this.waits[lastFour] = untilMs;
    try {
      sessionStorage.setItem(this.key, JSON.stringify(this.waits));
    } catch {
      // As above.
    }
  }

  until(lastFour) {
    return this.waits[lastFour] ?? 0;
  }

  /** The card that waits longest, for a page that was reloaded and knows no card yet. */
  latest() {
    const all = Object.entries(this.waits).sort((a, b) => b[1] - a[1]);
    return all.length > 0 ? { lastFour: all[0][0], untilMs: all[0][1] } : null;
  }

  forget() {
    try {
      sessionStorage.removeItem(this.key);
    } catch {
      // As above.
    }
  }
}
