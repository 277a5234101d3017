// The client of the bank's app door: crates/api/openapi.app.json. One request, one answer; who repeats what is phone.js's matter.

import { prove } from "./crypto/proof.js";
import { Trouble } from "./trouble.js";

/** @typedef {{ id: string, name_fa: string, name_en: string }} BankView */
/** @typedef {{ on: boolean, ceiling: number, locked: boolean, locked_until: string | null }} SlotView */
/** @typedef {{ at: string, slot: "first" | "second" | null, why: string, text: string }} Refusal */
/** @typedef {object} CardView
 * @property {string} reference
 * @property {string} card_ending
 * @property {string} bank
 * @property {7 | 8} digits
 * @property {number[]} ceilings
 * @property {SlotView} first
 * @property {SlotView} second
 * @property {{ locked: boolean, locked_until: string | null }} control
 * @property {{ drift_steps: number, control_steps?: number, hint: "ok" | "slow" | "fast" }} clock
 * @property {string} added
 * @property {number | null} first_day_max
 * @property {Refusal[]} refusals */
/** @typedef {{ device: string, name: string, activated: string, this: boolean, cards: number }} DeviceView */
/** @typedef {{ version: number, jwk: import("./crypto/proof.js").Jwk }} ReceiveKey */
/** @typedef {object} ActivatedView
 * @property {string} device
 * @property {ReceiveKey} receive_key
 * @property {BankView} bank
 * @property {string} add_cards_until
 * @property {number} now_ms */
/** @typedef {{ pair: CryptoKeyPair, device: string, counter?: number, nowMs: number }} Signer */

/** Nobody waits longer. */
const PATIENCE_MS = 20_000;

export class Bank {
  /** @param {string} origin where the door is */
  constructor(origin) {
    this.origin = origin;
  }

  /** Asks, and returns the answer's JSON; `null` of one without. Without a signer nothing is signed.
   * @param {string} method @param {string} path @param {unknown} [content] @param {Signer} [signer] @returns {Promise<any>} */
  async ask(method, path, content, signer) {
    const body = content === undefined ? "" : JSON.stringify(content);
    /** @type {Record<string, string>} */
    const headers = { accept: "application/json, application/problem+json" };
    if (body) headers["content-type"] = "application/json";
    const url = this.origin + path;
    if (signer) {
      headers["authorization"] = `DPoP ${signer.device}`;
      headers["dpop"] = await prove(signer.pair, { method, url, body, ...signer });
    }
    const [answer, text] = await within(PATIENCE_MS, async (signal) => {
      const answer = await fetch(url, { method, headers, body: body || null, credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer", signal });
      return /** @type {const} */ ([answer, await answer.text()]);
    }).catch(() => {
      throw new Trouble("offline");
    });
    const told = read(text);
    if (answer.ok && (told !== null || answer.status === 204)) return told;
    const kind = answer.ok ? undefined : told?.type?.split("/").pop();
    // What is no problem of the bank's comes from something on the way to it.
    throw new Trouble(kind || "issuer-unavailable", { retryAfterS: told?.retry_after_s, incident: told?.incident });
  }
}

/** Does what can be called off, and calls it off when the time is over. `AbortSignal.timeout` wants a newer browser than some phones have.
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

/** @param {string} text @returns {any} */
function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
