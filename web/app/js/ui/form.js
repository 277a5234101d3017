// What the forms share: a field with its name above, a note below, and digits as they are typed.

import { digitsOf } from "../digits.js";
import { el } from "./node.js";

/**
 * A field for digits. What is typed or pasted is brought to Latin digits in groups of four.
 * @param {{ id: string, label: string, max: number, autocomplete?: string, first?: boolean, hint?: string }} what
 */
export function digitField({ id, label, max, autocomplete = "off", first = false, hint = "" }) {
  const room = max + Math.floor((max - 1) / 4);
  const input = el("input", { id, name: id, type: "text", inputmode: "numeric", dir: "ltr", maxlength: max > 4 ? room + 12 : max + 4, autocomplete, spellcheck: "false", "data-first": first, placeholder: hint, "aria-describedby": `${id}-note` });
  const note = el("span", { class: "note", id: `${id}-note`, role: "status" });
  input.addEventListener("input", () => {
    const before = digitsOf(input.value.slice(0, input.selectionStart ?? undefined)).length;
    input.value = grouped(digitsOf(input.value).slice(0, max));
    const at = Math.min(before + (before > 0 ? Math.floor((before - 1) / 4) : 0), input.value.length);
    input.setSelectionRange(at, at);
    wrong("");
  });

  /** @param {string} text */
  function wrong(text) {
    note.textContent = text;
    note.classList.remove("good");
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  return {
    node: el("div", { class: "field" }, el("label", { for: id }, label), input, note),
    input,
    wrong,
    /** @param {string} text */
    good(text) {
      wrong("");
      note.textContent = text;
      note.classList.add("good");
    },
    get digits() {
      return digitsOf(input.value);
    },
    /** @param {string} digits */
    set digits(digits) {
      input.value = grouped(digits);
    },
  };
}

/** Groups of four. @param {string} digits */
export function grouped(digits) {
  return digits.replace(/(.{4})(?=.)/g, "$1 ");
}

/** Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B). @param {string} digits */
export function luhn(digits) {
  const sum = [...digits].reverse().reduce((sum, c, i) => {
    const d = Number(c) * (i % 2 ? 2 : 1);
    return sum + (d > 9 ? d - 9 : d);
  }, 0);
  return sum % 10 === 0;
}
