// The test cards: the one in the hand, drawn as a card, and the sheet of all of them.

import { say, spokenAgain } from '/assets/words.js';
import { amount, copier, digits, groups, international, node, shownPhone } from '/assets/text.js';
import { choose as choosePhone } from '/assets/phone.js';
import { holdBank } from '/assets/apps.js';
import { bankName } from '/assets/fields.js';
import { did } from '/assets/steps.js';

let cards = [];
let banks = [];
let held = 0;
/** A redraw that waits until the focus is elsewhere. */
let owed = false;

export function startWallet(lab) {
  ({ cards, banks } = lab);
  spokenAgain(draw);
  document.addEventListener('focusout', () => setTimeout(() => owed && !isInUse() && draw()));
  refresh();
  setInterval(refresh, 3000);
}

/** Balances and states as they are now. */
export async function refresh() {
  let now;
  try {
    const answer = await fetch('/lab/cards');
    if (!answer.ok) return;
    now = (await answer.json()).cards;
  } catch {
    return;
  }
  let changed = false;
  for (const { pan, balance, state } of now) {
    const card = cards.find((known) => known.pan === pan);
    if (!card || (card.balance === balance && card.state === state)) continue;
    Object.assign(card, { balance, state });
    changed = true;
  }
  // A redraw would take away the focus from a button in use.
  if (changed && isInUse()) owed = true;
  else if (changed) draw();
}

/** Whether the focus is on something that a redraw makes anew; the links to the machines are not. */
const isInUse = () => Boolean(document.activeElement?.matches('#card *, #choose *, #deck *'));

function hold(index) {
  held = index;
  // The button that was pressed is made anew: the focus goes to the one in its place.
  const within = ['choose', 'deck'].find((id) => document.getElementById(id).contains(document.activeElement));
  draw();
  if (within === 'choose') document.querySelector('#choose [aria-pressed="true"]')?.focus({ preventScroll: true });
  else if (within) document.querySelector('#deck .held button')?.focus({ preventScroll: true });
  if (cards[held].phone) choosePhone(cards[held].phone);
  holdBank(cards[held].bank);
  did('card');
}

const isShared = (card) => card.phone && cards.filter((other) => international(other.phone) === international(card.phone)).length > 1;

/** The words of `lab.json` are open-ended: what is not known is shown as it is. */
function stateOf(card) {
  const word = String(card.state ?? '').toLowerCase();
  if (/lock/.test(word)) return 'locked';
  if (/clos|cancel/.test(word)) return 'closed';
  if (!card.phone || /phone|mobile/.test(word) && !/shar/.test(word)) return 'nophone';
  if (isShared(card)) return 'shared';
  return /active|open|ready|normal|ok|^$/.test(word) ? 'active' : 'other';
}

const shownState = (card) => say(`state_${stateOf(card)}`) || String(card.state);
const bankOf = (card) => banks.find(({ id }) => id === card.bank) ?? { name: card.bank };
/** DE14's order: year, then month, as Iranian cards print it. */
const expiry = (card) => String(card.expiry).replace(/^(\d\d)\/?(\d\d)$/, '$1/$2');

function used(button) {
  button.addEventListener('click', () => did('card'));
  return button;
}

function draw() {
  if (!cards.length) return;
  owed = false;
  const card = cards[held];
  const face = document.getElementById('card');
  face.dataset.bank = String(Math.max(banks.findIndex(({ id }) => id === card.bank), 0) % 4);
  face.replaceChildren(
    node('span', { class: 'bank' }, node('b', {}, bankName(bankOf(card))), node('em', { class: `state ${stateOf(card)}` }, shownState(card))),
    used(copier(card.pan, say('pan'), node('span', { class: 'pan' }, groups(card.pan)))),
    node('span', { class: 'small' },
      node('span', {}, node('i', {}, say('expiry')), used(copier(expiry(card).replace('/', ''), say('expiry'), expiry(card)))),
      node('span', {}, node('i', {}, 'CVV2'), used(copier(card.cvv2, 'CVV2', card.cvv2))),
      node('span', {}, node('i', {}, say('balance')), node('b', {}, amount(card.balance)))));
  for (const [id, path] of [['to-atm', '/atm'], ['to-cashless', '/cashless-terminal'], ['to-pos', '/pos']]) document.getElementById(id).href = `${path}?card=${held}`;
  document.getElementById('card-hint').textContent = say(`hint_${stateOf(card)}`);
  document.getElementById('choose').replaceChildren(...banks.map((bank) => node('div', { class: 'bankful', role: 'group', 'aria-label': bankName(bank) }, node('span', {}, bankName(bank)),
    cards.map((other, index) => other.bank === bank.id && node('button', { type: 'button', class: stateOf(other), 'aria-pressed': String(index === held), title: shownState(other), onclick: () => hold(index) }, node('span', { dir: 'ltr' }, other.pan.slice(-4)))).filter(Boolean))));
  document.getElementById('deck').replaceChildren(...cards.map(row));
}

function row(card, index) {
  return node('tr', { class: index === held ? 'held' : '' },
    node('td', {}, bankName(bankOf(card))),
    node('td', {}, copier(card.pan, say('pan'), groups(card.pan))),
    node('td', {}, copier(expiry(card).replace('/', ''), say('expiry'), expiry(card))),
    node('td', {}, copier(card.cvv2, 'CVV2', card.cvv2)),
    node('td', {}, card.phone ? copier(card.phone, say('mobile'), shownPhone(card.phone)) : say('none')),
    node('td', { class: 'number' }, amount(card.balance)),
    node('td', {}, node('em', { class: `state ${stateOf(card)}` }, shownState(card))),
    node('td', {}, index === held ? node('span', { class: 'inhand' }, say('picked')) : node('button', { type: 'button', class: 'pick', 'aria-label': `${say('pick')}: ${digits(card.pan.slice(-4))}`, onclick: () => hold(index) }, say('pick'))));
}
