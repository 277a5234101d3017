// The card as it is typed: which bank it is of, and what is wrong with it.

import { digitField, digitsOf, grouped, luhn } from "./digits.js";
import { hueOf } from "./hues.js";

/** The bank of a card number, from its first six digits; `null` while unknown. */
export function bankOf(banks, pan) {
  if (pan.length < 6) return null;
  return banks.find((bank) => bank.iins.includes(pan.slice(0, 6))) ?? null;
}

/**
 * A whole expiry that was copied from elsewhere, as `[year, month]`; `null` if it is none. The year comes first, as Iranian
 * cards print it, unless what would be the month then is none.
 */
export function expiryOf(text) {
  const digits = digitsOf(text);
  if (digits.length !== 4 && digits.length !== 6) return null;
  const isMonth = (month) => month >= "01" && month <= "12";
  const [first, last] = [digits.slice(0, 2), digits.slice(-2)];
  if (isMonth(last) && (digits.length === 4 || /^(13|14|20)/.test(digits))) return [digits.slice(0, -2), last];
  return isMonth(first) ? [digits.slice(2), first] : null;
}

export class Card {
  constructor(root, lang, words, changed) {
    this.root = root;
    this.lang = lang;
    this.words = words;
    this.banks = [];
    this.pan = root.querySelector("#pan");
    this.month = root.querySelector("#expiry-month");
    this.year = root.querySelector("#expiry-year");
    this.cvv2 = root.querySelector("#cvv2");
    this.bankName = root.querySelector("#bank-name");
    const plain = (digits) => digits;
    digitField(this.pan, 19, grouped, (digits) => {
      this.showBank();
      changed();
      if (digits.length === 16 && luhn(digits) && this.month.value === "") this.month.focus();
    });
    digitField(this.month, 2, plain, (digits) => {
      changed();
      if (digits.length === 2 || Number(digits) > 1) this.year.focus();
    });
    digitField(this.year, 4, plain, (digits) => {
      changed();
      if (digits.length === 2 && !/^(13|14|20)$/.test(digits)) this.cvv2.focus();
      if (digits.length === 4) this.cvv2.focus();
    });
    digitField(this.cvv2, 4, plain, changed);
    for (const field of [this.month, this.year]) {
      field.addEventListener("paste", (event) => {
        const expiry = expiryOf(event.clipboardData?.getData("text") ?? "");
        if (!expiry) return;
        event.preventDefault();
        [this.year.value, this.month.value] = expiry;
        changed();
        this.cvv2.focus();
      });
    }
  }

  get digits() {
    return digitsOf(this.pan.value);
  }

  get lastFour() {
    return this.digits.slice(-4);
  }

  /** A whole number with its check digit right. */
  get complete() {
    return this.digits.length >= 16 && luhn(this.digits);
  }

  showBank() {
    const bank = bankOf(this.banks, this.digits);
    const name = bank ? (this.lang === "fa" ? bank.fa : bank.en) : "";
    const none = this.digits.length >= 6 && this.banks.length > 0 && !bank ? this.words.unknownBank : this.words.noBankYet;
    if (this.bankName.textContent !== (name || none)) this.bankName.textContent = name || none;
    this.root.classList.toggle("known", bank !== null);
    if (bank) this.root.style.setProperty("--bank-hue", String(hueOf(bank.id)));
  }

  /** What keeps it from paying: `[[field, message]]`, in the order of the fields. */
  errors() {
    const errors = [];
    const length = this.digits.length;
    if (length < 16) errors.push([this.pan, this.words.panShort]);
    else if (!luhn(this.digits)) errors.push([this.pan, this.words.panWrong]);
    const month = Number(digitsOf(this.month.value));
    if (!(month >= 1 && month <= 12)) errors.push([this.month, this.words.monthWrong]);
    if (![2, 4].includes(digitsOf(this.year.value).length)) errors.push([this.year, this.words.yearWrong]);
    if (digitsOf(this.cvv2.value).length < 3) errors.push([this.cvv2, this.words.cvv2Wrong]);
    return errors;
  }

  /** As the gateway wants it. The year as the card shows it: its last two digits. */
  typed() {
    const year = digitsOf(this.year.value).slice(-2);
    const month = digitsOf(this.month.value).padStart(2, "0");
    return { pan: this.digits, expiry: `${month}/${year}`, cvv2: digitsOf(this.cvv2.value) };
  }

  clearSecrets() {
    for (const field of [this.pan, this.month, this.year, this.cvv2]) field.value = "";
  }
}
