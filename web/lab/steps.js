// The five steps: each lights up when the network, not the page, shows that it was done.

const ORDER = ['shop', 'card', 'ask', 'sms', 'paid'];
const done = new Set();

/** A step was done. A new order after a payment begins anew, with the card still in the hand. */
export function did(step) {
  if (step === 'shop' && (done.has('paid') || done.has('ask'))) ['ask', 'sms', 'paid'].forEach((s) => done.delete(s));
  done.add(step);
  // Nobody asks for a PIN without a card.
  if (step === 'ask') done.add('card');
  show();
}

/** Whether a payment is under way. */
export const isPaying = () => done.has('shop') && !done.has('paid');

/** What a message shows to have been done. */
export function readStep({ from, title }) {
  if (from === 'shop' && title === 'POST /v1/payments') did('shop');
  else if (title.startsWith('POST') && title.includes('pin-requests')) did('ask');
  else if (title === '200 settled') did('paid');
}

export function show() {
  const next = ORDER.find((step) => !done.has(step));
  for (const item of document.querySelectorAll('#steps [data-step]')) {
    item.classList.toggle('done', done.has(item.dataset.step));
    if (item.dataset.step === next) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}
