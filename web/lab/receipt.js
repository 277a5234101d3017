// The receipt: what the bank had printed, and the half of an activation code, on paper.

import { say, spoken } from '/assets/words.js';
import { digits, groups, node, tehran, tehranDate } from '/assets/text.js';

const paper = document.getElementById('receipt');

/** Prints, if there is anything to print. Whatever was printed before is taken away. */
export async function print({ print: text, receipt_half: half }, { bank, pan, service, machine }) {
  takeAway();
  if (!text && !half) return;
  const now = await time();
  const row = (name, value) => node('div', {}, node('dt', {}, say(name)), node('dd', { dir: 'auto' }, value));
  const rows = [
    row('receipt_card', `${pan.slice(0, 6)}******${pan.slice(-4)}`),
    row('receipt_time', `${digits(tehran(now))} · ${tehranDate(now)}`),
    row('receipt_service', service),
    row('receipt_terminal', say(machine)),
  ];
  const lines = (text ?? '').split('\n').filter((line) => line !== '').map((line) => node('p', { dir: 'auto' }, line));
  paper.replaceChildren(
    node('h3', {}, bank),
    node('dl', {}, rows),
    ...lines,
    ...(half ? [node('p', { class: 'half' }, node('span', {}, say('half')), node('b', { id: 'receipt-code', dir: 'ltr', 'data-digits': half }, digits(groups(half)))), node('p', { class: 'keep' }, say('keep'))] : []),
    node('button', { type: 'button', id: 'take-receipt', onclick: takeAway }, say('take')));
  paper.lang = spoken();
  paper.hidden = false;
}

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
