// What went wrong, in a word that a screen has a sentence for. Never repeats what was typed or sent.

/** Words of problems that are known only after the bank has begun to act. */
const UNCERTAIN = new Set(["offline", "unanswered", "fault", "issuer-unavailable", "key-missing", "counter-used", "storage"]);

export class Trouble extends Error {
  /** @param {string} kind `offline`, `unanswered` (of a change that was sent), `wait`, `not-open`, `no-card`, `cancelled`, `no-prf`, `storage`, or the last part of a problem's type
   * @param {{ retryAfterS?: number | undefined, incident?: string | undefined }} [more] */
  constructor(kind, { retryAfterS, incident } = {}) {
    super(kind);
    this.name = "Trouble";
    this.kind = kind;
    this.retryAfterS = retryAfterS;
    this.incident = incident;
  }

  /** Whether it is certain that the bank did nothing. */
  get nothingDone() {
    return !UNCERTAIN.has(this.kind);
  }
}

/** @param {unknown} error @param {string} kind @returns {error is Trouble} */
export const isTrouble = (error, kind) => error instanceof Trouble && error.kind === kind;
