// Digits as people type them, and as they like to read them.

/** Latin digits only: Persian and Arabic ones become Latin, everything else goes. */
export function digitsOf(text) {
  let digits = "";
  for (const c of text) {
    const code = c.codePointAt(0);
    if (code >= 0x30 && code <= 0x39) digits += c;
    else if (code >= 0x6f0 && code <= 0x6f9) digits += String(code - 0x6f0);
    else if (code >= 0x660 && code <= 0x669) digits += String(code - 0x660);
  }
  return digits;
}

// In the texts of banks the PIN follows its label; a text that is bound to this page ends with it.
const LABELLED = /(?:رمز|\bPIN)[\s\u200e\u200f]*:[\s\u200e\u200f]*([0-9\u06f0-\u06f9\u0660-\u0669]{4,12})(?![0-9\u06f0-\u06f9\u0660-\u0669])/i;
const BOUND = /@\S+\s+#([0-9]{4,12})\s*$/;

/** The digits of a PIN as it is typed, or as it stands in a whole message that was pasted. */
export function pinOf(text) {
  return digitsOf(LABELLED.exec(text)?.[1] ?? BOUND.exec(text)?.[1] ?? text);
}

/** Groups of four, set apart by spaces. */
export function grouped(digits) {
  return digits.replace(/(.{4})(?=.)/g, "$1 ");
}

/** Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B). */
export function luhn(digits) {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    if (i % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

/** Figures of the page's language. */
export function figures(text, lang) {
  if (lang !== "fa") return String(text);
  return String(text).replace(/[0-9]/g, (d) => String.fromCodePoint(0x6f0 + Number(d)));
}

/**
 * Keeps a field to digits while it is typed in, at most `max`, in the form that `shape` gives them. The caret stays behind
 * the digit it was behind. `read` finds the digits in what stands there.
 */
export function digitField(input, max, shape, changed, read = digitsOf) {
  input.addEventListener("input", () => {
    const before = digitsOf(input.value.slice(0, input.selectionStart ?? input.value.length)).length;
    const digits = read(input.value).slice(0, max);
    const shown = shape(digits);
    if (shown !== input.value) {
      input.value = shown;
      let at = 0;
      for (let seen = 0; at < shown.length && seen < Math.min(before, max); at++) {
        if (shown[at] !== " ") seen++;
      }
      input.setSelectionRange(at, at);
    }
    changed(digits);
  });
}
