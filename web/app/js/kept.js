// What the phone must not forget, as one value in IndexedDB: keys that nobody reads back, masked seeds, the counter of the last write.
// Deliberately not here: anything by which an app PIN could be told from a wrong one (crypto/mask.js says why), a card number, a code.

import { Trouble } from "./trouble.js";

/** @typedef {import("./crypto/bytes.js").Bytes} Bytes */
/** @typedef {import("./bank.js").CardView} CardView */
/** @typedef {object} Activated
 * @property {string} device its id
 * @property {import("./bank.js").BankView} bank
 * @property {number} keyVersion of the key that seeds are sealed to …
 * @property {Bytes} key … and the key, an uncompressed point
 * @property {number} addUntilMs until then, by the bank's clock, cards are added without a control code
 * @property {boolean} [revoked] whether the bank said last that it has taken this device off */
/** @typedef {{ reference: string, masked: Bytes }} Pending a card that was asked for, and that the bank has not answered for */
/** @typedef {Pending & { controlUsed: number, told: CardView }} Card `controlUsed`: the minute of the last control code that was sent */
/** @typedef {{ credential: Bytes, salt: Bytes, iv: Bytes, wrapped: Bytes | null }} Wrapped */
/** @typedef {object} State
 * @property {CryptoKeyPair | null} pair requests are signed with it
 * @property {CryptoKey | null} secret masks are made with it
 * @property {Activated | null} activated
 * @property {number} counter of the last write
 * @property {number | null} offsetMs what the bank's clock is ahead of the phone's
 * @property {Bytes | null} salt of the app's PIN; another with each PIN
 * @property {Card[]} cards
 * @property {Pending[]} pending
 * @property {Wrapped | null} fingerprint */

const NAME = "ramz";
const STORE = "phone";
const KEY = "state";

/** @returns {State} */
const nothing = () => ({
  pair: null, secret: null, activated: null, counter: 0, offsetMs: null, salt: null, cards: [], pending: [], fingerprint: null,
});

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const answered = (request) => new Promise((done, fail) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

export class Kept extends EventTarget {
  /** @type {IDBDatabase | null} */
  #database = null;
  #others = new BroadcastChannel(NAME);

  constructor() {
    super();
    /** As it was last read. */
    this.state = nothing();
    this.#others.onmessage = () => this.read().catch(() => {});
  }

  /** Reads it; other windows of the app may have written since. `changed` is told to whoever listens. */
  async read() {
    this.state = await this.#within("readonly", async (store) => (await answered(store.get(KEY))) ?? nothing());
    this.dispatchEvent(new Event("changed"));
  }

  /** Changes it in one transaction. `change` gets what is there now; what it throws leaves all as it was.
   * @template T @param {(state: State) => T} change must not wait @returns {Promise<T>} */
  async change(change) {
    const [state, result] = await this.#within("readwrite", async (store) => {
      /** @type {State} */
      const state = (await answered(store.get(KEY))) ?? nothing();
      const result = change(state);
      store.put(state, KEY);
      return /** @type {const} */ ([state, result]);
    });
    this.state = state;
    this.#others.postMessage("changed");
    this.dispatchEvent(new Event("changed"));
    return result;
  }

  /** Everything goes, also from under other windows. */
  async forget() {
    this.#database?.close();
    this.#database = null;
    await answered(indexedDB.deleteDatabase(NAME)).catch((error) => { throw trouble(error); });
    this.state = nothing();
    this.#others.postMessage("changed");
    this.dispatchEvent(new Event("changed"));
  }

  /** @template T @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => Promise<T>} work @returns {Promise<T>} */
  async #within(mode, work) {
    try {
      const database = (this.#database ??= await this.#open());
      // Durable, where the browser can: a counter that comes back would be refused by the bank.
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const done = new Promise((done, fail) => {
        transaction.oncomplete = () => done(undefined);
        transaction.onabort = () => fail(transaction.error);
      });
      done.catch(() => {});
      let result;
      try {
        result = await work(transaction.objectStore(STORE));
      } catch (error) {
        try {
          transaction.abort();
        } catch {
          // It is over already.
        }
        throw error;
      }
      await done;
      return result;
    } catch (error) {
      throw trouble(error);
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  async #open() {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const database = await answered(request);
    const gone = () => {
      database.close();
      if (this.#database === database) this.#database = null;
    };
    // Another window forgets everything, or the browser does.
    database.onversionchange = gone;
    database.onclose = gone;
    return database;
  }
}

/** @param {unknown} error */
const trouble = (error) => (error instanceof Trouble ? error : new Trouble("storage"));
