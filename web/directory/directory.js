// The page of banks while it is used: the search, which reads six digits at most and asks nobody, and how the banks stand
// now. Without this file the page is the same table.

import { hueOf } from "/assets/hues.js";
import { asked, cut, finds, searchable } from "/assets/search.js";

const REFRESH_MS = 5000;
/** After so many failures in a row, what is shown is called old. */
const STALE_AFTER = 3;

const get = (id) => document.getElementById(id);
const table = get("banks");
const figures = (n) => (document.documentElement.lang === "fa" ? String(n).replace(/[0-9]/g, (d) => String.fromCodePoint(0x6f0 + Number(d))) : String(n));

const banks = [...table.tBodies].map((body) => {
  body.style.setProperty("--hue", hueOf(body.id));
  const { names, iins, sms } = body.dataset;
  return { body, pill: body.querySelector("[data-now]"), ...searchable({ names, iins: iins.split(" "), sms }) };
});

const field = get("q");

function search() {
  const wanted = asked(field.value);
  const nothing = wanted.digits === "" && wanted.words.length === 0;
  let shown = 0;
  for (const bank of banks) {
    const found = finds(wanted, bank);
    bank.body.hidden = !found;
    bank.body.classList.remove("only");
    if (found) shown += 1;
  }
  if (shown === 1) banks.find(({ body }) => !body.hidden).body.classList.add("only");
  table.hidden = shown === 0;
  get("ways").hidden = !nothing;
  get("clear").hidden = field.value === "";
  const count = get("count");
  const bold = document.createElement("b");
  bold.textContent = figures(shown);
  count.replaceChildren(...(shown === 0 ? [count.dataset.none] : [bold, ` ${shown === 1 ? count.dataset.one : count.dataset.found}`]));
}

field.addEventListener("input", () => {
  const kept = cut(field.value);
  if (kept !== field.value) {
    const caret = Math.min(field.selectionEnd, kept.length);
    field.value = kept;
    field.setSelectionRange(caret, caret);
  }
  search();
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
});
get("clear").addEventListener("click", () => {
  clear();
  field.focus();
});

function clear() {
  field.value = "";
  search();
}

// A merged bank points at one that a search may have hidden.
table.addEventListener("click", (event) => {
  if (event.target.closest(".merged a")) clear();
});

// What a browser kept of an earlier visit is nobody's business.
field.value = "";
get("search").hidden = false;

let failures = 0;

async function refresh() {
  if (document.visibilityState !== "visible") return;
  // `AbortSignal.timeout` wants a newer browser than some people have.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), REFRESH_MS);
  try {
    const answer = await fetch("/now.json", { cache: "no-store", credentials: "omit", signal: late.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const now = await answer.json();
    for (const { body, pill } of banks) {
      const standing = now[body.id];
      if (standing && standing !== pill.dataset.now) {
        pill.dataset.now = standing;
        pill.textContent = table.dataset[standing];
      }
    }
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    clearTimeout(timer);
  }
  table.classList.toggle("stale", failures >= STALE_AFTER);
}

setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
