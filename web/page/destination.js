// Where a transfer goes: named by the merchant, or typed by the payer. Its bank and its number are shown before a PIN is
// asked for, because the PIN is bound to them.

import { bankOf } from "./card.js";
import { digitField, digitsOf, figures, grouped, luhn } from "./digits.js";

/** First six and last four digits; `603799******0012` or the whole number. */
export function maskedNumber(number, lang) {
  const hidden = "•".repeat(number.length - 10);
  return figures(`${number.slice(0, 6)} ${hidden} ${number.slice(-4)}`, lang);
}

export class Destination {
  /** `named`: masked, if the merchant named it; else it is typed. `null` instead of this if the payment is no transfer. */
  static of({ kind, payee, lang }, words, changed) {
    return kind === "transfer" ? new Destination(payee, lang, words, changed) : null;
  }

  constructor(named, lang, words, changed) {
    Object.assign(this, { named, lang, words });
    this.banks = [];
    this.box = document.getElementById("destination");
    this.field = document.getElementById("to-pan");
    this.note = document.getElementById("to-note");
    this.shown = document.getElementById("to-shown");
    this.bankName = document.getElementById("to-bank");
    this.confirm = document.getElementById("to-confirm");
    this.hint = this.note?.textContent ?? "";
    if (this.field) {
      digitField(this.field, 19, grouped, (digits) => {
        this.show();
        changed();
        if (digits.length === 16 && luhn(digits)) document.getElementById("pan").focus();
      });
    }
    this.show();
  }

  /** Typed digits; empty if the merchant named the destination. */
  get digits() {
    return this.field ? digitsOf(this.field.value) : "";
  }

  get complete() {
    return !this.field || (this.digits.length >= 16 && luhn(this.digits));
  }

  /** What the gateway must hear of it: nothing that it knows already. */
  typed() {
    return this.field ? { payee_pan: this.digits } : {};
  }

  show() {
    const number = this.field ? this.digits : this.named;
    const bank = bankOf(this.banks, number);
    const known = bank ? (this.lang === "fa" ? bank.fa : bank.en) : "";
    const name = known || (number.length >= 6 && this.banks.length > 0 ? this.words.unknownBank : "");
    if (this.field) {
      this.shown.textContent = this.complete ? maskedNumber(number, this.lang) : "";
      const wrong = number.length === 16 && !this.complete;
      this.note.textContent = wrong ? this.words.panWrong : name || this.hint;
      this.box.classList.toggle("known", this.complete && bank !== null);
    }
    this.bankName.textContent = this.complete ? name : "";
    this.confirm.hidden = !this.complete;
    if (this.complete) this.confirm.textContent = this.words.toCard(`\u2066${maskedNumber(number, this.lang)}\u2069`, name);
  }

  /** What keeps it from being paid, as `Card.errors`. `pan`: the card that pays. */
  errors(pan) {
    if (!this.field) return [];
    const { words, digits } = this;
    if (digits.length < 16) return [[this.field, words.toShort]];
    if (!luhn(digits)) return [[this.field, words.toWrong]];
    return digits === pan ? [[this.field, words.toSame]] : [];
  }

  clear() {
    if (this.field) this.field.value = "";
  }
}
