// What a search for a bank reads, and what it finds. Pure: nothing here knows the page, and nothing leaves this file.

/** Of a card number no more than these are ever read: they name the bank, and nobody's card. */
export const DIGITS_MAX = 6;

const LETTERS = { "\u064a": "ی", "\u0649": "ی", "\u0626": "ی", "\u0643": "ک", "\u0629": "ه", "\u06c0": "ه", "\u0623": "ا", "\u0625": "ا", "\u0622": "ا", "\u0671": "ا", "\u0624": "و" };

/** The Latin digit of a character in Latin, Persian or Arabic form; `null` if it is none. */
function digitOf(c) {
  const code = c.codePointAt(0);
  for (const zero of [0x30, 0x6f0, 0x660]) if (code >= zero && code <= zero + 9) return String(code - zero);
  return null;
}

/** The text as it may stand in the field: every digit after the sixth is gone. */
export function cut(text) {
  let digits = 0;
  let kept = "";
  for (const c of text) {
    if (digitOf(c) !== null && ++digits > DIGITS_MAX) continue;
    kept += c;
  }
  return kept;
}

/** Letters as they are compared: Arabic forms are Persian ones, marks and joiners are nothing, Latin is lower case. */
export function fold(text) {
  let folded = "";
  for (const c of text.normalize("NFC").toLowerCase()) {
    if (/[\u200c\u200d\u0640\u064b-\u065f\u0670\u0654\u0655]/.test(c)) continue;
    folded += LETTERS[c] ?? c;
  }
  return folded.replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/** What was asked for: digits, at most six, and words. */
export function asked(text) {
  let digits = "";
  let letters = "";
  for (const c of cut(text)) {
    const digit = digitOf(c);
    if (digit === null) letters += c;
    else digits += digit;
  }
  return { digits, words: fold(letters).split(" ").filter(Boolean) };
}

/** A bank ready to be searched: `names` of both languages, `iins` and, if it has one, its short code. */
export function searchable({ names, iins, sms }) {
  const folded = fold(names);
  return { names: ` ${folded} ${folded.replaceAll(" ", "")} `, numbers: [...iins, ...(sms ? [sms] : [])] };
}

/** Whether a bank is what was asked for. Nothing asked is every bank. */
export function finds({ digits, words }, bank) {
  return words.every((word) => bank.names.includes(word)) && (digits === "" || bank.numbers.some((number) => number.startsWith(digits)));
}
