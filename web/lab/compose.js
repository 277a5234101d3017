// Texts that the phone sends to a bank's short code: «۱۲۳۴», and a PIN comes back. They stay with this page only; the lab
// keeps what a phone receives.

import { say, spokenAgain } from '/assets/words.js';
import { digits, international, node } from '/assets/text.js';
import { bankName } from '/assets/fields.js';
import { now } from '/assets/clock.js';

const KEPT = 50;

const to = document.getElementById('compose-to');
const text = document.getElementById('compose-text');
const send = document.getElementById('compose-send');
const note = document.getElementById('compose-note');
const sent = new Map();
let lab = { banks: [], cards: [] };

/** What a phone has sent since the page was opened, oldest first. */
export const sentBy = (phone) => sent.get(phone) ?? [];

/** Starts the line. `phone` says which one is in the hand; `changed` is told when it has sent something. */
export function startCompose(known, phone, changed) {
  lab = known;
  spokenAgain(() => {
    const chosen = to.value;
    to.replaceChildren(...lab.banks.map((bank) => node('option', { value: bank.short_code }, `${bankName(bank)} · ${digits(bank.short_code)}`)));
    if (chosen) to.value = chosen;
    note.hidden = true;
  });
  address(phone());
  document.getElementById('compose').addEventListener('submit', async (event) => {
    event.preventDefault();
    const message = { to: to.value, text: text.value, at: now() };
    const from = phone();
    if (!from || !message.text.trim()) return;
    send.disabled = true;
    const why = await post(from, message);
    send.disabled = false;
    note.textContent = why;
    note.hidden = why === '';
    if (why) return;
    text.value = '';
    sent.set(from, [...sentBy(from), message].slice(-KEPT));
    changed();
  });
}

/** Writes to the bank whose card has this phone. */
export function address(phone) {
  const card = lab.cards.find((own) => international(own.phone) === phone);
  const bank = lab.banks.find(({ id }) => id === card?.bank);
  if (bank) to.value = bank.short_code;
}

/** Nothing, or why it was not sent. */
async function post(phone, { to, text }) {
  try {
    const answer = await fetch(`/handsets/${phone}/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ to, text }) });
    if (answer.ok) return '';
    return say(answer.status === 503 ? 'textaway' : 'textlong');
  } catch {
    return say('dead');
  }
}
