// The guide: two ways to a payment, five steps each. A step lights up when the network shows that it was done, not the page.

const WAYS = {
  sms: ['shop', 'card', 'ask', 'sms', 'paid'],
  app: ['atm', 'open', 'halves', 'add', 'used'],
};
const ACTIVATE = '900000';
const done = new Set();
let way = 'sms';
let paying = false;

export function startSteps() {
  for (const button of document.querySelectorAll('#ways [data-way]')) button.addEventListener('click', () => take(button.dataset.way));
  show();
}

function take(next) {
  way = next;
  show();
}

/** A step was done. A new order after a payment begins anew, with the card still in the hand. */
export function did(step) {
  if (step === 'shop' && (done.has('paid') || done.has('ask'))) ['ask', 'sms', 'paid', 'used'].forEach((s) => done.delete(s));
  // Another receipt: the guide to the app begins anew.
  if (step === 'atm') WAYS.app.forEach((s) => done.delete(s));
  done.add(step);
  // Nobody asks for a PIN without a card.
  if (step === 'ask') done.add('card');
  if (step === 'paid' && done.has('add')) done.add('used');
  if (step === 'atm' || step === 'open') way = 'app';
  if (step === 'ask') way = 'sms';
  show();
}

/** Whether a payment of the shop is under way. */
export const isPaying = () => paying;

/** The payer went back to the shop. */
export function leavePayment() {
  paying = false;
}

/** What the shop hears of its payment: made, settled, or ended without money. */
function readPayment({ from, title, fields }) {
  if (from === 'shop' && title === 'POST /v1/payments') paying = true;
  else if (title === '200 settled') paying = false;
  else if (title === '200 payment' && fields.some(([name, value]) => name === 'state' && ['failed', 'expired', 'reversed'].includes(value))) paying = false;
}

/** What a message shows to have been done. */
export function readStep(fact) {
  const { from, title, fields } = fact;
  readPayment(fact);
  if (from === 'shop' && title === 'POST /v1/payments') did('shop');
  else if (title.startsWith('POST') && title.includes('pin-requests')) did('ask');
  else if (title === '200 settled') did('paid');
  else if (/^0610 .* 00$/.test(title) && fields.some(([name, value]) => /^(DE|F)?3\b/.test(name) && value === ACTIVATE)) did('atm');
  else if (title === '201 /app/activations') did('halves');
  else if (title === '201 /app/cards') did('add');
}

function show() {
  document.body.dataset.way = way;
  for (const button of document.querySelectorAll('#ways [data-way]')) button.setAttribute('aria-pressed', String(button.dataset.way === way));
  for (const [name, order] of Object.entries(WAYS)) {
    const next = order.find((step) => !done.has(step));
    if (name === way) document.body.dataset.next = `${name}-${next ?? 'none'}`;
    for (const item of document.querySelectorAll(`#steps${name === 'app' ? '-app' : ''} [data-step]`)) {
      item.classList.toggle('done', done.has(item.dataset.step));
      if (item.dataset.step === next) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
  }
}
