// The receipt: what the bank had printed, the half of an activation code and where the app is, or what was paid, on paper.

import { say, spoken } from '/assets/words.js';
import { copier, digits, groups, node, tehran, tehranDate } from '/assets/text.js';
import { drawn } from '/assets/qr.js';

const paper = document.getElementById('receipt');

/** Prints, if there is anything to print. Whatever was printed before is taken away. */
export async function print({ print: text, receipt_half: half, app_address: address, qr }, { bank, pan, service, machine, facts = [] }) {
  takeAway();
  if (!text && !half && !address && !facts.length) return;
  const now = await time();
  const row = (name, value) => node('div', {}, node('dt', {}, say(name)), node('dd', { dir: 'auto' }, value));
  const rows = [
    row('receipt_card', `${pan.slice(0, 6)}******${pan.slice(-4)}`),
    row('receipt_time', `${digits(tehran(now))} · ${tehranDate(now)}`),
    row('receipt_service', service),
    row('receipt_terminal', say(machine)),
    ...facts.map(([name, value]) => row(name, value)),
  ];
  const lines = (text ?? '').split('\n').filter((line) => line !== '').map((line) => node('p', { dir: 'auto' }, line));
  paper.replaceChildren(
    node('h3', {}, bank),
    node('dl', {}, rows),
    ...lines,
    ...(half ? [node('p', { class: 'half' }, node('span', {}, say('half')), copier(half, say('half'), node('b', { id: 'receipt-code', dir: 'ltr', 'data-digits': half }, digits(groups(half))))), node('p', { class: 'keep' }, say('keep'))] : []),
    ...(address ? where(address, qr) : []),
    node('button', { type: 'button', id: 'take-receipt', onclick: takeAway }, say('take')));
  paper.lang = spoken();
  paper.hidden = false;
}

/** Where the app is: for a camera, for who reads, and for who presses it here. */
const where = (address, qr) => [node('p', { class: 'keep' }, say('app')), qr ? drawn(qr, say('qr')) : null, node('p', { class: 'app', dir: 'ltr' }, /^https?:\/\//.test(address) ? node('a', { id: 'app-address', href: address, target: '_blank', rel: 'noopener' }, address) : node('span', { id: 'app-address' }, address))].filter(Boolean);

/** Takes the paper away. */
export function takeAway() {
  paper.hidden = true;
  paper.replaceChildren();
}

/** The lab's present. */
async function time() {
  try {
    const answer = await fetch('/lab/clock');
    return Date.parse((await answer.json()).now);
  } catch {
    return Date.now();
  }
}
