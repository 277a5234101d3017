// An ATM, a branch's cashless terminal or a shop's POS terminal: card, first PIN, menu, and what the card's bank answers.
//
//   idle ──card──▶ pin ──▶ menu ──▶ (sure) ──▶ wait ──▶ done | refused | silent | phone | devices ──▶ menu, or idle
//
// A POS terminal has no menu: its first screen is the amount. Payments are in `payments.js`.
// The PIN is in this module as long as the card is in the slot, and goes out in the body of a request only.

import '/assets/terminal-words.js';
import { say, speak, spoken, spokenAgain } from '/assets/words.js';
import { digits, node } from '/assets/text.js';
import { bankName } from '/assets/fields.js';
import { startKeypad } from '/assets/keypad.js';
import { print, takeAway } from '/assets/receipt.js';
import { nameOf, outcome, paymentScreens, rial } from '/assets/payments.js';

const PIN_MIN = 4;
const PIN_MAX = 12;
const CHOICE_MAX = 3;
/** So long a new screen takes no choice: the second half of a double click was meant for the screen before. */
const SETTLES_MS = 400;
const machine = ['cashless', 'pos'].find((name) => location.pathname.includes(name)) ?? 'atm';
const isPos = machine === 'pos';
/** Where a machine without a card stands. */
const HOME = isPos ? 'sale' : 'idle';

const at = (id) => document.getElementById(id);
const [lab, menu] = await Promise.all(['/lab.json', '/terminal/menu'].map(async (path) => (await fetch(path)).json()));
const offered = Number(new URLSearchParams(location.search).get('card') ?? -1);

let card = null;
let pin = '';
let typed = '';
let state = { name: HOME };
let drawn = false;
let settled = true;
let settling;

const serviceOf = (code) => menu.services.find(({ service }) => service === code);
const word = (both) => both?.[spoken()] ?? '';
const reasonOf = (code) => word(menu.reasons.find(({ response_code }) => response_code === code) ?? menu.other);
const bankOf = ({ bank }) => lab.banks.find(({ id }) => id === bank) ?? { name: bank };

/** What the screen shows in each state: heading, text, options (words, what they do), and what Enter does with what was typed. */
const SCREENS = {
  idle: () => ({ title: say('idle_title'), text: state.text ?? say('idle') }),
  pin: () => ({ title: say('pin_title'), text: [state.amount && rial(state.amount), state.text ?? say('pin')].filter(Boolean).join('\n'), hides: true, max: PIN_MAX, enter: enterPin }),
  menu: () => ({ title: machine === 'atm' ? say('atm_menu') : word(menu.menu), text: say('menu'), options: [...payments(), ...entries().map((service) => [word(service), () => choose(service)])] }),
  wait: () => ({ title: say('wait_title'), text: say('wait'), waits: true }),
  sure: () => ({ title: say('sure_title'), text: `${word(state.service)}${state.choice ? ` ${digits(state.choice)}` : ''}`, options: [[say('yes'), () => ask(state.service, state.choice)], [say('no'), toMenu]] }),
  phone: () => ({ title: say('phone_title'), text: state.show ?? say('phone'), phone: state.phone, options: [[say('phone_yes'), () => ask(serviceOf(state.service.then))], [say('phone_no'), () => go({ name: 'refused', text: say('phone_wrong') })]] }),
  devices: () => ({ title: word(state.service), text: `${state.show ?? say('nothing')}\n${say('choose')}`, max: CHOICE_MAX, enter: enterChoice, options: [[say('again'), toMenu], [say('leave'), eject]] }),
  done: () => ({ title: state.title ?? say('done_title'), text: state.text, options: ending() }),
  refused: () => ({ title: say('refused_title'), text: state.text, options: ending() }),
  silent: () => ({ title: state.title ?? say('silent_title'), text: state.text ?? say('silent'), options: ending() }),
  ...paymentScreens({ payments: menu.payments, go, pay, toMenu: () => toMenu(), typed: () => typed, state: () => state, hasCard: () => Boolean(card) }),
};

const entries = () => menu.services.filter(({ in_menu }) => in_menu);
const nameFor = (payment) => nameOf(menu.payments, payment);
const payments = () => (machine === 'atm' ? [[nameFor('withdrawal'), () => go({ name: 'amount' })], [nameFor('balance'), () => pay('balance')]] : []);
const ending = () => (isPos ? [[say('next_sale'), eject]] : [[say('again'), toMenu], [say('leave'), eject]]);
const toMenu = () => go({ name: 'menu' });

function go(next) {
  state = next;
  typed = '';
  settled = false;
  clearTimeout(settling);
  settling = setTimeout(settle, SETTLES_MS);
  draw();
}

function settle() {
  settled = true;
  for (const option of at('options').children) option.disabled = false;
}

function insert(chosen) {
  if (card) return;
  card = chosen;
  takeAway();
  drawCards();
  // In a shop the amount comes first.
  if (isPos && !state.amount) go({ name: 'sale' });
  else go({ name: 'pin', amount: state.amount });
}

function eject() {
  if (!card || state.name === 'wait') return;
  [card, pin] = [null, ''];
  drawCards();
  go({ name: HOME, text: isPos ? `${say('card_out')}\n${say('sale')}` : say('card_out') });
}

/** Cancel: gives the card back, or forgets the amount. */
function cancel() {
  if (card) eject();
  else if (isPos) go({ name: HOME });
}

function enterPin() {
  if (typed.length < PIN_MIN) return go({ name: 'pin', amount: state.amount, text: say('short') });
  pin = typed;
  if (isPos) pay('purchase', state.amount);
  else toMenu();
}

function choose(service) {
  if (service.asks_again) go({ name: 'sure', service });
  else ask(service);
}

function enterChoice() {
  if (typed) go({ name: 'sure', service: serviceOf(state.service.then), choice: typed });
}

/** Asks the card's bank, and goes where its answer leads. */
async function ask(service, choice) {
  const told = await answerTo('services', { service: service.service, choice });
  if (!told) return;
  const { response_code: code, show, masked_phone: phone, receipt_half: half } = told;
  if (code !== '00') return go({ name: 'refused', text: show ?? reasonOf(code) });
  await print(told, { bank: bankName(bankOf(card)), pan: card.pan, service: word(service), machine });
  // What follows needs a number of a list, or a yes.
  if (service.then) return go({ name: serviceOf(service.then).takes_choice ? 'devices' : 'phone', service, phone, show });
  go({ name: 'done', text: [show ?? reasonOf(code), half && say('other_half')].filter(Boolean).join('\n') });
}

/** Pays, and says what became of it. */
async function pay(payment, amount) {
  const told = await answerTo('payments', { payment, amount });
  if (!told) return;
  const { facts, ...next } = outcome(told, payment, reasonOf);
  if (facts.length) await print({}, { bank: bankName(bankOf(card)), pan: card.pan, service: nameFor(payment), machine, facts });
  go(next);
}

/** What the bank answered. Nothing, if the screen says already what is to be said: silence, a wrong PIN, a fault. */
async function answerTo(path, about) {
  const asking = card;
  const { amount } = about;
  go({ name: 'wait' });
  const told = await asked(path, { pan: card.pan, expiry: card.expiry, pin, ...about, terminal: machine });
  // The page was left meanwhile.
  if (card !== asking) return null;
  // A question for the balance moves nothing: it may be asked again.
  if (told.lost) go(path === 'payments' && amount ? { name: 'silent', title: say('unsure_title'), text: say('unsure') } : { name: 'silent' });
  else if (told.away) go(path === 'payments' ? { name: 'silent', text: say('untold') } : { name: 'silent' });
  else if (told.problem) go({ name: 'refused', text: told.problem });
  else if (told.response_code === '55') {
    pin = '';
    // Of a payment a bank may say more than that it is wrong: where the right one is found.
    const why = (path === 'payments' && told.show) || reasonOf('55');
    go({ name: 'pin', amount: isPos ? amount : undefined, text: `${why} ${say('pin')}` });
  } else return told;
  return null;
}

/**
 * The answer; or `away`: the lab says that the bank was not asked, or does not answer; or in words why it was not asked. `lost`: nobody knows
 * what became of it, since the request may have come and only its answer is missing.
 */
async function asked(path, body) {
  try {
    const answer = await fetch(`/terminal/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (answer.ok) return await answer.json();
    // Others than the lab say 503, too, and of what they know nothing.
    if (answer.status === 503 && /issuer-unavailable$/.test((await answer.json()).type)) return { away: true };
    if (answer.status >= 500 && path === 'payments') return { lost: true };
    return { problem: say(answer.status === 404 ? 'unknown' : 'broken') };
  } catch {
    return { lost: true };
  }
}

function press(key) {
  const { enter, max = 0, options = [] } = SCREENS[state.name]();
  if (key === 'cancel') return cancel();
  if (key === 'clear') typed = '';
  else if (key === 'enter') return settled || typed ? enter?.() : undefined;
  else if (enter) typed = (typed + key).slice(0, max);
  // 0 is the tenth.
  else return settled ? options[(Number(key) + 9) % 10]?.[1]() : undefined;
  drawEntry();
}

function draw() {
  const { title, text = '', phone, options = [], waits = false, enter } = SCREENS[state.name]();
  const heading = at('screen-title');
  at('screen').dataset.state = state.name;
  heading.textContent = title;
  at('screen-text').textContent = text;
  at('screen-phone').textContent = phone ? digits(phone) : '';
  at('screen-phone').hidden = !phone;
  at('progress').hidden = !waits;
  // Keys of the machine: numbered where nothing is typed.
  at('options').replaceChildren(...options.map(([words, chosen], n) => node('button', { type: 'button', class: 'option', disabled: !settled, onclick: chosen }, enter ? null : node('b', { 'aria-hidden': 'true' }, digits((n + 1) % 10)), node('span', {}, words))));
  at('options').dataset.count = String(options.length);
  at('eject').disabled = !card || waits;
  at('mouth').classList.toggle('full', Boolean(card));
  at('lamp').classList.toggle('busy', waits);
  drawEntry();
  // What had the focus is gone, or cannot be pressed any more.
  const { activeElement: focused } = document;
  if (drawn && (!focused || focused === document.body || focused.disabled)) heading.focus({ preventScroll: true });
  drawn = true;
}

function drawEntry() {
  const { enter, hides, money } = SCREENS[state.name]();
  at('entry').hidden = !enter;
  at('entry').classList.toggle('money', Boolean(money));
  const shown = money && typed ? rial(Number(typed)) : digits(typed);
  at('entry-dots').textContent = hides ? '●'.repeat(typed.length) : shown;
  at('entry-said').textContent = typed ? (hides ? `${digits(typed.length)} ${say('typed')}` : shown) : '';
}

function drawCards() {
  at('cards').replaceChildren(...lab.banks.map((bank) => node('div', { class: 'bankful', role: 'group', 'aria-label': bankName(bank) }, node('span', {}, bankName(bank)),
    lab.cards.map((own, index) => own.bank === bank.id && node('button', { type: 'button', class: `plastic${index === offered ? ' held' : ''}`, 'data-bank': String(lab.banks.indexOf(bank) % 4), 'aria-pressed': String(own === card), disabled: Boolean(card), 'aria-label': `${say('insert')}: ${digits(own.pan.slice(-4))}`, onclick: () => insert(own) },
      node('b', { dir: 'ltr' }, `•••• ${own.pan.slice(-4)}`), node('small', {}, `${say('firstpin')}: ${digits(own.static_first_pin)}`))).filter(Boolean))));
}

const language = at('language');
language.addEventListener('click', () => speak(spoken() === 'fa' ? 'en' : 'fa'));
at('eject').addEventListener('click', eject);
at(`way-${machine}`).setAttribute('aria-current', 'page');
document.body.dataset.machine = machine;
// A page that is left, or kept for later, has no card in it.
addEventListener('pagehide', () => {
  [card, pin] = [null, ''];
  takeAway();
  drawCards();
  go({ name: HOME });
});
startKeypad(press);
spokenAgain(() => {
  language.textContent = spoken() === 'fa' ? 'English' : 'فارسی';
  language.lang = spoken() === 'fa' ? 'en' : 'fa';
  document.title = `${say(machine)} · ${say('title')}`;
  at('machine-name').textContent = say(machine);
  at('sign').textContent = say(machine);
  if (isPos) at('hand-say').textContent = say('sale_hand');
  // Words of a state that were said in the other language are said anew.
  if (['idle', 'pin', 'sale', 'own'].includes(state.name)) delete state.text;
  drawCards();
  draw();
});
