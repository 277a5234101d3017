// Cash and balance at an ATM, purchases at a POS terminal: their screens, and what the card's bank answers.
//
//   ATM   menu ──▶ amount ──▶ (own) ──▶ wait ──▶ done | refused | silent
//   POS   idle: the amount ──▶ card ──▶ pin ──▶ wait ──▶ done | refused | silent ──▶ idle
//
// The machine itself, its states and its PIN, is `terminal.js`.

import { say, spoken } from '/assets/words.js';
import { amount, digits } from '/assets/text.js';

const AMOUNT_MAX = 12;

export const rial = (n) => `${n < 0 ? '−' : ''}${amount(Math.abs(n))} ${say('rial')}`;

/** The screens of a machine's payments. `machine` has what they need: the menu of the lab, `go`, `pay`, `typed`, `state`. */
export function paymentScreens(at) {
  const { keys, multiple_of: note, at_most: most } = at.payments.withdrawal;
  const withdraw = (n) => at.pay('withdrawal', n);
  const own = () => {
    const wanted = Number(at.typed());
    if (wanted > 0 && wanted % note === 0 && wanted <= most) return withdraw(wanted);
    return at.go({ name: 'own', text: `${say('notes')} ${rial(note)}\n${say('most')} ${rial(most)}` });
  };
  const sale = () => {
    const wanted = Number(at.typed());
    if (!wanted) return at.go({ name: 'sale', text: say('sale_none') });
    return at.go({ name: at.hasCard() ? 'pin' : 'card', amount: wanted });
  };
  return {
    amount: () => ({ title: say('amount_title'), text: say('amount'), options: [...keys.map((n) => [rial(n), () => withdraw(n)]), [say('own'), () => at.go({ name: 'own' })], [say('again'), at.toMenu]] }),
    own: () => ({ title: say('amount_title'), text: at.state().text ?? say('own_amount'), max: AMOUNT_MAX, money: true, enter: own }),
    sale: () => ({ title: say('sale_title'), text: at.state().text ?? say('sale'), max: AMOUNT_MAX, money: true, enter: sale }),
    card: () => ({ title: say('card_title'), text: `${say('to_pay')}: ${rial(at.state().amount)}\n${say('card')}`, options: [[say('other_amount'), () => at.go({ name: 'sale' })]] }),
  };
}

/** What an answer to a payment leads to: a heading, a text, and what the receipt says besides. */
export function outcome(told, payment, reasonOf) {
  const { response_code: code, show, balance, rrn, reversal } = told;
  const facts = [...(told.amount ? [['receipt_amount', rial(told.amount)]] : []), ['receipt_rrn', digits(rrn)]];
  if (code === null) {
    const text = say({ acknowledged: 'undone', pending: 'not_undone' }[reversal] ?? 'untold');
    return { name: 'silent', text, facts: reversal ? [...facts, ['receipt_reversed', say(reversal === 'acknowledged' ? 'reversed_yes' : 'reversed_no')]] : [] };
  }
  if (code !== '00') return { name: 'refused', text: show ?? reasonOf(code), facts: [] };
  const has = balance == null ? null : `${say('has')}: ${rial(balance)}`;
  const done = { withdrawal: say('cash'), purchase: say('paid'), balance: null }[payment];
  return {
    name: 'done',
    title: payment === 'purchase' ? say('paid_title') : undefined,
    text: [told.amount ? rial(told.amount) : null, has, show, done].filter(Boolean).join('\n'),
    facts: [...facts, ...(balance == null ? [] : [['receipt_balance', rial(balance)]])],
  };
}

/** A payment's name, from the lab's own list. */
export const nameOf = (payments, payment) => payments.each.find((one) => one.payment === payment)?.[spoken()] ?? payment;
