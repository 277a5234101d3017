// Words in the two languages of the app, and figures, amounts and times as each language writes them.

/** @typedef {typeof import("./fa.js").fa} Words */
/** @typedef {keyof Words} Word */
/** @typedef {"fa" | "en"} Language */

const KEPT = "language";

let spoken = kept();
let words = await wordsOf(spoken);

/** Only what is spoken is fetched. @param {Language} lang @returns {Promise<Words>} */
async function wordsOf(lang) {
  return lang === "fa" ? (await import("./fa.js")).fa : (await import("./en.js")).en;
}

/** @returns {Language} */
function kept() {
  let word = null;
  try {
    word = localStorage.getItem(KEPT);
  } catch {
    // A browser that keeps nothing still speaks.
  }
  // A page that leads here says what it speaks.
  word ??= new URLSearchParams(location.search).get("lang") ?? navigator.language;
  return word.startsWith("en") ? "en" : "fa";
}

export function language() {
  return spoken;
}

/** Speaks a language from now on, and the next time. @param {Language} lang */
export async function speak(lang) {
  words = await wordsOf(lang);
  spoken = lang;
  try {
    localStorage.setItem(KEPT, lang);
  } catch {
    // Then only until the page goes.
  }
  dress();
}

/** The page says what language it is in. */
export function dress() {
  document.documentElement.lang = spoken;
  document.documentElement.dir = spoken === "fa" ? "rtl" : "ltr";
  document.title = say("app");
}

/**
 * Words, with values in their places: `{minutes}`. An incident is a name that the bank's log knows: it is written as it is there, and stands
 * apart from a text that runs the other way.
 * @param {Word} word
 * @param {Record<string, string | number>} [values]
 */
export function say(word, values = {}) {
  return words[word].replace(/\{(\w+)\}/g, (_, name) => (name === "incident" ? `\u2066${values[name]}\u2069` : figures(values[name] ?? "")));
}

/** Figures of the language. @param {string | number} text */
export function figures(text) {
  if (spoken !== "fa") return String(text);
  return String(text).replace(/[0-9]/g, (digit) => String.fromCodePoint(0x6f0 + Number(digit)));
}

/** An amount of rial as it is said: «۲ میلیون ریال», "2 million rial". @param {number} rial */
export function amount(rial) {
  for (const [word, unit] of /** @type {[Word, number][]} */ ([["billion", 1e9], ["million", 1e6], ["thousand", 1e3]])) {
    if (rial >= unit && rial % (unit / 10) === 0) return say("rial", { amount: `${figures(rial / unit)} ${say(word)}`.replace(".", spoken === "fa" ? "٫" : ".") });
  }
  return say("rial", { amount: rial.toLocaleString(spoken === "fa" ? "fa-IR" : "en") });
}

/** A day of Tehran, with its year. @param {string} at */
export function day(at) {
  return new Date(at).toLocaleDateString(spoken === "fa" ? "fa-IR" : "en-GB", { timeZone: "Asia/Tehran", year: "numeric", month: "long", day: "numeric" });
}

/** A day and time of Tehran, short. @param {string | number} at */
export function moment(at) {
  const how = /** @type {const} */ ({ timeZone: "Asia/Tehran", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  return new Date(at).toLocaleString(spoken === "fa" ? "fa-IR" : "en-GB", how);
}
