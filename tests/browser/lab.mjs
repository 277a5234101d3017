// The lab from outside: what programs may ask it (lab.json, handsets, clock, cards, trace, the merchant API).

import assert from "node:assert/strict";

const WAIT_MS = 20_000;
/** A payment that its merchant does not verify within this is reversed. */
const VERIFY_WITHIN_S = 20 * 60;

/** Calls until the answer is worth something, then returns it. */
export async function until(what, look, limit = WAIT_MS) {
  const end = performance.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${limit / 1000} s for ${what}`);
    await new Promise((done) => setTimeout(done, 40));
  }
}

async function json(url, request) {
  const answer = await fetch(url, { redirect: "error", ...request });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${request?.method ?? "GET"} ${new URL(url).pathname}: ${answer.status} ${body.type} ${body.detail}`);
  return body;
}

const post = (body, headers) => ({ method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });

export class Lab {
  static async at(url) {
    const known = await json(new URL("/lab.json", url));
    return Object.assign(new Lab(), { known, portal: known.portal, shop: known.shop.url, gateway: known.gateway.url, pins: new Set(), heard: [], opened: [] });
  }

  /** The n-th card of a bank, from 1, as lab.json has it. */
  card(bank, n) {
    return this.known.cards.filter((card) => card.bank === bank)[n - 1];
  }

  /** Two cards of one bank with one phone. */
  twoOfOnePhone() {
    const { cards } = this.known;
    const one = cards.find(({ bank, phone, pan }) => phone && cards.some((card) => card.bank === bank && card.phone === phone && card.pan !== pan));
    return cards.filter(({ bank, phone }) => bank === one.bank && phone === one.phone);
  }

  bank(id) {
    return this.known.banks.find((bank) => bank.id === id);
  }

  async balance({ pan }) {
    return (await this.cardNow({ pan })).balance;
  }

  async cardNow({ pan }) {
    const { cards } = await json(`${this.portal}/lab/cards`);
    return cards.find((card) => card.pan === pan);
  }

  messages(phone) {
    return json(`${this.portal}/handsets/${phone}/messages`);
  }

  /** A service of the ATM, as its page asks for it. */
  async service({ pan, static_first_pin: pin }, service) {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ pan, pin, service, terminal: "atm" });
    const answer = await fetch(`${this.portal}/terminal/services`, { method: "POST", headers, body });
    assert.equal((await answer.json()).response_code, "00");
  }

  /** Both halves of an activation code of the app, asked for at the ATM: one on the receipt, with where it leads, one in the phone's SMS. */
  async activation({ pan, phone, expiry, static_first_pin: pin }) {
    const before = (await this.messages(phone)).length;
    const answer = await fetch(`${this.portal}/terminal/services`, post({ pan, expiry, pin, service: "900000", terminal: "atm" }));
    const { response_code, receipt_half, app_address } = await answer.json();
    assert.equal(response_code, "00");
    const { text } = await until("an SMS", async () => (await this.messages(phone)).slice(before).find((sms) => /(?<!\d)\d{8}(?!\d)/.test(sms.text)));
    return { receipt: receipt_half, sms: /(?<!\d)\d{8}(?!\d)/.exec(text)[0], address: app_address };
  }

  /** The card's phone texts its bank's short code. */
  async text({ bank, phone }, text) {
    const to = this.known.banks.find(({ id }) => id === bank).short_code;
    const headers = { "content-type": "application/json" };
    const sent = await fetch(`${this.portal}/handsets/${phone}/messages`, { method: "POST", headers, body: JSON.stringify({ to, text }) });
    assert.equal(sent.status, 202, await sent.text());
  }

  /** The SMS that comes to the card's phone while `doing`: its text, and the PIN in it. */
  async smsDuring({ phone }, doing) {
    const before = (await this.messages(phone)).length;
    await doing();
    const { text, from } = await until("an SMS", async () => (await this.messages(phone))[before]);
    const code = /^(?:رمز:|PIN: )(\d+)$/m.exec(text)?.[1];
    assert.ok(code, `no PIN in the SMS:\n${text}`);
    this.pins.add(code);
    return { text, from, code };
  }

  async now() {
    return Date.parse((await json(`${this.portal}/lab/clock`)).now);
  }

  /** How many seconds from now a minute begins: what is to be done within one begins there. */
  async nextMinuteIn() {
    return Math.ceil((60_000 - ((await this.now()) % 60_000)) / 1000);
  }

  /** Moves the lab's clock. What the gateway reverses by then, since nobody verified it, is reversed when this returns: no
   *  later test finds its card's balance change by itself. */
  async advance(advance_s) {
    const told = await json(`${this.portal}/lab/clock`, post({ advance_s }));
    if (advance_s < VERIFY_WITHIN_S) return told;
    for (const id of this.opened.splice(0)) {
      await until("the reversal of what nobody verified", async () => {
        const { state, verified, reversal } = await this.payment(id);
        // A payment counts as reversed by the clock alone; the money is back when the bank has acknowledged it.
        return verified || ["failed", "expired"].includes(state) || reversal === "acknowledged";
      });
    }
    return told;
  }

  /** Everything that went over a wire and is still kept, after number `seq`. */
  async trace(seq = 0) {
    return (await json(`${this.portal}/trace?after=${seq}`)).facts;
  }

  /** Remembers what the trace holds by now: the lab itself keeps the last 500 messages only. */
  async listen() {
    this.heard.push(...(await this.trace(this.heard.at(-1)?.seq)));
  }

  async lastSeq() {
    return (await this.trace()).at(-1)?.seq ?? 0;
  }

  /** Opens a payment as a shop does. The way back leads to the shop's window: the shop itself knows nothing of it. */
  async open(amount, about = { kind: "purchase" }) {
    const wanted = { amount, order: `B${amount}`, description: "", callback: `${this.shop}/`, ...about };
    const opened = await json(`${this.gateway}/v1/payments`, post(wanted, this.key));
    this.opened.push(opened.payment);
    return opened;
  }

  /** A payment as its merchant sees it. */
  payment(id) {
    return json(`${this.gateway}/v1/payments/${id}`, { headers: this.key });
  }

  verify(id, amount) {
    return json(`${this.gateway}/v1/payments/${id}/verify`, post({ amount }, this.key));
  }

  get key() {
    return { authorization: `Bearer ${this.known.gateway.api_key}` };
  }
}
