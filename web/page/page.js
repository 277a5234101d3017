// The payment page: card, PIN, payment. It keeps nothing but a countdown and four digits.

import { Calls, NoAnswer, Refused, uuid } from "./calls.js";
import { Card } from "./card.js";
import { countDown, minutes, ServerClock, Waits } from "./countdown.js";
import { Destination } from "./destination.js";
import { digitField, digitsOf, figures, pinOf } from "./digits.js";
import { solve } from "./proof.js";
import { showResult } from "./result.js";
import { wordsOf } from "./words.js";

const $ = (id) => document.getElementById(id);
const main = $("page");
const page = { ...main.dataset, lang: document.documentElement.lang };
const seen = JSON.parse(page.seen);
const words = wordsOf(page.lang);
const calls = new Calls(page.payment, page.token);
const clock = new ServerClock(seen.now_ms);
const waits = new Waits(page.payment);

/** How often a page that is looked at hears how its payment stands. */
const HEARD_EVERY_MS = 10_000;

const form = $("form");
const pin = $("pin");
const ask = $("request-pin");
const pay = $("pay");
const pinNote = $("pin-note");
const countdown = $("countdown");
const problem = $("problem");

let challenge = seen.challenge;
let work = null; // the proof of the present challenge, in the making
let asking = false;
let presses = 0;
let paying = false;
let asksLeft = seen.asks_left;
let stopWaiting = () => {};
let stopExpiry = () => {};
let waitingFor = null;

// What described a field before a complaint did.
const describedBy = new Map();
let askedFor = null; // the destination that the last PIN was asked for

function edited() {
  // While it is being paid, what stands there is not about the fields.
  if (!paying) problem.hidden = true;
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    if (describedBy.get(field)) field.setAttribute("aria-describedby", describedBy.get(field));
    else field.removeAttribute("aria-describedby");
  }
  refresh();
  // The browser works while the payer still types.
  if (card.complete) proof();
}

const card = new Card($("card"), page.lang, words, edited);
const destination = Destination.of(page, words, () => {
  edited();
  if (askedFor === null) return;
  if (destination.digits !== askedFor) pinNote.textContent = words.toChanged;
  else if (pinNote.textContent === words.toChanged) pinNote.textContent = words.sent;
});
digitField(pin, 12, (digits) => digits, edited, pinOf);

function proof() {
  work ??= solve(challenge, Number(page.bits));
  return work;
}

function newChallenge(next) {
  if (next && next !== challenge) {
    challenge = next;
    work = null;
  }
}

/** What may be pressed now. */
function refresh() {
  const until = card.complete ? waits.until(card.lastFour) : 0;
  const waiting = until > clock.now();
  // In shape, all of it: a PIN for a card that cannot pay then would be a wasted one of five.
  const inShape = [...card.errors(), ...(destination?.errors(card.digits) ?? [])].length === 0;
  ask.disabled = asking || paying || !inShape || waiting || asksLeft <= 0;
  pay.disabled = paying;
  if (card.complete && waiting) wait(card.lastFour, until);
  else if (card.complete && waitingFor && waitingFor !== card.lastFour) stopShowing();
}

function stopShowing() {
  stopWaiting();
  waitingFor = null;
  countdown.hidden = true;
  main.classList.remove("waiting");
}

/** Shows the wait of one card, by the server's time. */
function wait(lastFour, untilMs) {
  if (waitingFor === lastFour && main.classList.contains("waiting")) return;
  stopWaiting();
  waitingFor = lastFour;
  main.classList.add("waiting");
  countdown.hidden = false;
  let said = Infinity;
  stopWaiting = countDown(clock, untilMs, (left) => {
    if (left === 0) {
      stopShowing();
      $("countdown-said").textContent = words.mayAskAgain;
      if (asksLeft > 0) pinNote.textContent = words.mayAskAgain;
      refresh();
      return;
    }
    const shown = words.waitFor(figures(minutes(left), page.lang), `\u2066••${figures(lastFour, page.lang)}\u2069`);
    if (countdown.textContent !== shown) countdown.textContent = shown;
    countdown.style.setProperty("--left", String(Math.min(1, left / 120)));
    // Said aloud now and then only, not every second.
    for (const mark of [60, 30, 10]) {
      if (left <= mark && said > mark) $("countdown-said").textContent = words.secondsLeft(figures(mark, page.lang));
    }
    said = left;
  });
}

function complain(errors) {
  for (const [field] of errors) {
    if (!describedBy.has(field)) describedBy.set(field, field.getAttribute("aria-describedby"));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "problem");
  }
  say("fields", errors.map(([, message]) => message));
  errors[0][0].focus();
}

/** Says what is wrong, above the button. The same once more is not said again: it would be read out each time. */
function say(kind, lines) {
  const same = [...problem.children].map((p) => p.textContent).join("\n") === lines.join("\n");
  if (same && problem.dataset.kind === kind && !problem.hidden) return;
  problem.dataset.kind = kind;
  delete problem.dataset.code;
  problem.replaceChildren(
    ...lines.map((line) => {
      const p = document.createElement("p");
      p.textContent = line;
      return p;
    }),
  );
  problem.hidden = false;
}

function end(result) {
  stopShowing();
  stopExpiry();
  card.clearSecrets();
  destination?.clear();
  pin.value = "";
  waits.forget();
  form.hidden = true;
  main.classList.add("over");
  showResult($("result"), page, words, result);
}

/** A call that said no, or nothing. */
function trouble(error) {
  if (error instanceof NoAnswer) return say("bad", [words.noAnswer]);
  if (!(error instanceof Refused)) throw error;
  switch (error.type) {
    case "unknown-issuer":
      return say("bad", [words.unknownIssuer]);
    case "bank-unavailable":
      return say("bad", [words.bankUnavailable]);
    case "no-more-asks":
      asksLeft = 0;
      pinNote.textContent = words.noMoreAsks;
      return undefined;
    case "ask-again-later":
      waits.put(card.lastFour, clock.now() + error.problem.retry_after_s * 1000);
      return undefined;
    case "proof-needed":
      newChallenge(error.problem.challenge);
      return say("bad", [words.proofFailed]);
    case "stale-page":
      return say("bad", [words.stalePage]);
    case "wrong-state":
    case "in-progress":
      return void catchUp();
    case "malformed":
      if (error.problem.errors?.[0]?.pointer === "/payee_pan" && destination?.field) {
        return complain([[destination.field, words.toWrong]]);
      }
      if (error.problem.errors?.[0]?.pointer === "/payee_pan") return complain([[card.pan, words.isDestination]]);
      return complain([[card.pan, words.panWrong]]);
    default:
      return say("bad", [words.fault]);
  }
}

let followed = null;

/** Asks how the payment stands until that is an end. `true` if it is still open. Whoever asks meanwhile waits for the same. */
function follow() {
  followed ??= look().finally(() => (followed = null));
  return followed;
}

async function look() {
  for (let unheard = 0; unheard < 40; ) {
    try {
      const state = await calls.state();
      // It was asked for twice, and the end is told already.
      if (form.hidden) return false;
      unheard = 0;
      clock.hear(state.now_ms);
      newChallenge(state.challenge);
      if (state.state === "open") return true;
      if (state.state !== "authorising") {
        end(state);
        return false;
      }
    } catch (error) {
      // A server that is in trouble has said nothing of the payment.
      if (error instanceof Refused && error.status < 500) {
        trouble(error);
        return false;
      }
      unheard += 1;
    }
    say("wait", [words.waitingForBank]);
    await new Promise((done) => setTimeout(done, 1000));
  }
  say("bad", [words.noAnswer]);
  window.addEventListener("online", catchUp, { once: true });
  return false;
}

/** The same, where it was under way: the payer hears that it may be tried again. */
async function catchUp() {
  const open = await follow();
  if (open) say("bad", [words.stillOpen]);
  return open;
}

/**
 * How it stands elsewhere: the server's clock may have moved on without the browser's (while a phone sleeps, or in a lab), and
 * another tab may have asked, paid or cancelled.
 */
async function hearState() {
  const pressed = presses;
  try {
    const state = await calls.state();
    // A press was answered meanwhile, or will be: that is newer.
    if (paying || form.hidden || pressed !== presses) return;
    clock.hear(state.now_ms);
    newChallenge(state.challenge);
    asksLeft = state.asks_left;
    refresh();
    if (state.state === "authorising") catchUp();
    else if (state.state !== "open") end(state);
  } catch {
    // It is heard with the next answer.
  }
}

function hearIfSeen() {
  if (!document.hidden && !form.hidden && !asking && !paying) hearState();
}

document.addEventListener("visibilitychange", hearIfSeen);
setInterval(hearIfSeen, HEARD_EVERY_MS);

/** A button that was disabled while it worked has lost the focus to the page. */
function refocus(button) {
  if (document.activeElement === document.body && !form.hidden) (button.disabled ? pin : button).focus();
}

ask.addEventListener("click", async () => {
  const wrong = [...(destination?.errors(card.digits) ?? []), ...card.errors()];
  if (wrong.length > 0) return complain(wrong.slice(0, 1));
  asking = true;
  presses += 1;
  const { lastFour } = card;
  problem.hidden = true;
  ask.setAttribute("aria-busy", "true");
  pinNote.textContent = words.checking;
  refresh();
  try {
    const number = await proof();
    pinNote.textContent = words.asking;
    const to = destination?.typed() ?? {};
    const answer = await calls.pin({ pan: card.digits, press: uuid(), proof: number, ...to });
    askedFor = destination?.field ? to.payee_pan : null;
    clock.hear(answer.now_ms);
    asksLeft = answer.asks_left;
    newChallenge(answer.challenge);
    waits.put(lastFour, answer.ask_again_at_ms);
    pinNote.textContent = words.sent;
    pin.value = "";
    pin.focus();
    listen();
  } catch (error) {
    pinNote.textContent = "";
    trouble(error);
    // A press that came to nothing has used the proof up all the same.
    hearState();
  } finally {
    asking = false;
    ask.removeAttribute("aria-busy");
    refresh();
    refocus(ask);
  }
  return undefined;
});

let listening = null;

/** WebOTP: the browser hands over the code of the message, if the payer lets it. */
async function listen() {
  if (!("OTPCredential" in window)) return;
  listening?.abort();
  listening = new AbortController();
  try {
    const credential = await navigator.credentials.get({ otp: { transport: ["sms"] }, signal: listening.signal });
    if (credential?.code) {
      pin.value = digitsOf(credential.code).slice(0, 12);
      pay.focus();
    }
  } catch {
    // Not allowed, not supported or called off: the payer types it.
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (paying) return;
  const errors = [...(destination?.errors(card.digits) ?? []), ...card.errors()];
  if (digitsOf(pin.value).length < 4) errors.push([pin, words.pinWrong]);
  if (errors.length > 0) {
    complain(errors);
    return;
  }
  paying = true;
  listening?.abort();
  pay.setAttribute("aria-busy", "true");
  const label = pay.textContent;
  pay.textContent = words.paying;
  say("wait", [words.waitingForBank]);
  refresh();
  try {
    refused(await calls.authorise({ ...card.typed(), ...destination?.typed(), pin: digitsOf(pin.value), lang: page.lang }));
  } catch (error) {
    // Whether the bank was asked is not known: the gateway says how the payment stands.
    if (error instanceof NoAnswer) {
      if (await follow()) say("bad", [words.noAnswer]);
    } else if (error.status >= 500 && error.type !== "bank-unavailable") await catchUp();
    else trouble(error);
  } finally {
    paying = false;
    pay.removeAttribute("aria-busy");
    pay.textContent = label;
    refresh();
    refocus(pay);
    // It may have expired meanwhile: the countdown leaves that to whoever is paying.
    if (!form.hidden && clock.now() >= seen.expires_ms) follow();
  }
});

/** What came of it. A refusal leaves the payer where it can be mended. */
function refused(answer) {
  if (answer.result === "paid") return end({ ...answer, state: "paid" });
  if (answer.result === "unknown") return end({ ...answer, state: "unknown", text: undefined });
  pin.value = "";
  if (answer.redirect) return end({ state: "failed", redirect: answer.redirect, text: `${answer.text} ${words.failedText}` });
  hearState();
  say("bad", [answer.text, answer.advice]);
  problem.dataset.code = answer.code;
  if (answer.next === "pin") pin.focus();
  else if (answer.next === "ask") (ask.disabled ? pin : ask).focus();
  else if (answer.next === "payee" && destination?.field) destination.field.focus();
  else if (answer.next === "card" || answer.next === "other_card") card.pan.focus();
  return undefined;
}

$("cancel").addEventListener("click", async () => {
  if (paying || !window.confirm(words.cancelSure)) return;
  try {
    const state = await calls.cancel();
    waits.forget();
    location.replace(state.redirect);
  } catch (error) {
    trouble(error);
  }
});

async function start() {
  if (seen.state === "authorising") {
    say("wait", [words.waitingForBank]);
    if (!(await catchUp())) return;
  } else if (seen.state !== "open") {
    end(seen);
    return;
  }
  stopExpiry = countDown(clock, seen.expires_ms, (left) => {
    $("expires").textContent = figures(minutes(left), page.lang);
    $("expires").closest(".timer").classList.toggle("short", left <= 120);
    if (left === 0 && !paying) follow();
  });
  const waiting = waits.latest();
  if (waiting && waiting.untilMs > clock.now()) wait(waiting.lastFour, waiting.untilMs);
  if (asksLeft <= 0) pinNote.textContent = words.noMoreAsks;
  refresh();
  try {
    card.banks = await (await fetch("/pay/banks.json")).json();
    card.showBank();
    if (destination) {
      destination.banks = card.banks;
      destination.show();
    }
  } catch {
    // A payment needs no names of banks.
  }
}

start();
