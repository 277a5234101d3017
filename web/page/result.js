// How it ended, in place of the form: the receipt or the reason, and the way back to the shop.

import { maskedNumber } from "./destination.js";
import { figures } from "./digits.js";

/** A payer reads the receipt for as long as this before going back by itself. */
const BACK_AFTER_S = 5;

const ICONS = {
  paid: "M6 12.5l4 4 8-9",
  unknown: "M12 7v6m0 3.5v.5",
  reversing: "M9 8L5.5 11.5 9 15m-3.5-3.5h8a4 4 0 0 1 0 8",
  reversed: "M9 8L5.5 11.5 9 15m-3.5-3.5h8a4 4 0 0 1 0 8",
  failed: "M8 8l8 8m0-8l-8 8",
  expired: "M12 7v5.5l3.5 2",
};

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function icon(state) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[state] ?? ICONS.failed);
  svg.append(path);
  return element("span", { class: "seal" }, svg);
}

function when(ms, lang) {
  const locale = lang === "fa" ? "fa-IR-u-ca-persian" : "en-GB";
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", timeZone: "Asia/Tehran" }).format(ms);
}

function amountOf(rial, lang) {
  return new Intl.NumberFormat(lang === "fa" ? "fa-IR" : "en").format(rial);
}

/** A masked number of any length: each hidden digit a dot. */
function masked(number, lang) {
  return figures(number.replace(/\*+/, (stars) => ` ${"•".repeat(stars.length)} `), lang);
}

function rows(receipt, balance, page, words) {
  const { lang, merchant, order, kind, whose } = page;
  const list = element("dl", { class: "facts" });
  const row = (name, value, direction, look) => {
    const attributes = direction ? { dir: direction } : {};
    list.append(element("div", look ? { class: look } : {}, element("dt", {}, name), element("dd", {}, element("bdi", attributes, value))));
  };
  if (kind !== "balance") row(words.amount, `${amountOf(receipt.amount, lang)} ${words.rial}`);
  for (const of of ["available", "ledger"]) {
    if (balance?.[of] !== undefined) row(words[of], `${amountOf(balance[of], lang)} ${words.rial}`, undefined, of === "available" ? "told" : undefined);
  }
  if (kind === "transfer" && receipt.payee) row(words.toCardNumber, maskedNumber(receipt.payee, lang), "ltr");
  else if (receipt.payee) {
    row(words.whose[kind], whose);
    row(words.payeeOf[kind], masked(receipt.payee, lang), "ltr");
  }
  row(words.rrn, figures(receipt.rrn, lang), "ltr");
  row(kind === "transfer" ? words.fromCard : words.card, maskedNumber(receipt.card, lang), "ltr");
  row(words.time, when(receipt.at_ms, lang));
  row(words.merchant, merchant);
  row(words.order, /^[0-9]+$/.test(order) ? figures(order, lang) : order);
  return list;
}

/**
 * Shows the end. `state` is the payment's; `text` is said instead of the usual sentence, `redirect` is the way back, which
 * is taken by itself after a success. A balance, which is told once, stays until the payer goes.
 */
export function showResult(root, page, words, { state, tried, receipt, balance, redirect, text }) {
  const of = words.ofKind[page.kind] ?? {};
  const said = { ...words, ...of };
  if (page.kind === "balance" && state === "paid" && !balance) said.paidText = words.balanceOnce;
  // A bank that was asked and did not answer may have charged, though the payment is open again.
  if (tried) said.expiredText = words.expiredTried;
  const heading = element("h1", { tabindex: "-1", id: "result-title" }, said[state] ?? words.failed);
  const sentence = (text ?? said[`${state}Text`] ?? "").replace("{minutes}", figures(page.minutes, page.lang));
  const parts = [icon(state), heading, element("p", { class: "result-text" }, sentence)];
  if (receipt) parts.push(rows(receipt, balance, page, words));
  let stop = () => {};
  if (redirect) {
    parts.push(element("a", { class: "button primary", id: "back", href: redirect, rel: "noreferrer" }, words.back));
    if (state === "paid" && page.kind !== "balance") {
      const note = element("span", { id: "back-in" });
      const stay = element("button", { type: "button", class: "link", id: "stay" }, words.stay);
      const line = element("p", { class: "back-line" }, note, " ", stay);
      parts.push(line);
      let left = BACK_AFTER_S;
      const step = () => {
        if (left > 0) {
          note.textContent = words.backIn(figures(left, page.lang));
          left -= 1;
          return;
        }
        // A shop may take its time: nothing is counted any more, and there is no staying.
        clearInterval(timer);
        note.textContent = words.goingBack;
        stay.remove();
        location.replace(redirect);
      };
      const timer = setInterval(step, 1000);
      step();
      stop = () => {
        clearInterval(timer);
        line.remove();
      };
      stay.addEventListener("click", stop);
    }
  }
  root.replaceChildren(...parts);
  root.dataset.state = state;
  root.hidden = false;
  heading.focus();
  return stop;
}
