// The phone's messages: the chosen number's texts. A new SMS slides in, its PIN can be copied, its validity runs down; what the phone sent
// stands among them.

import { say, spokenAgain } from '/assets/words.js';
import { copier, digits, international, node, shownPhone, tehran } from '/assets/text.js';
import { now } from '/assets/clock.js';
import { did } from '/assets/steps.js';
import { address, sentBy, startCompose } from '/assets/compose.js';
import { appAt, heard } from '/assets/apps.js';

const POLL_MS = 1000;

const inbox = document.getElementById('inbox');
/** Each phone's newest message, as it was last seen. */
const newest = new Map();
const unread = new Set();
let numbers = [];
let chosen = '';
let shown = [];
let primed = false;

export function startPhone(lab) {
  numbers = [...new Set(lab.cards.map((card) => international(card.phone)).filter(Boolean))];
  choose(numbers[0] ?? '');
  startCompose(lab, () => chosen, () => drawInbox([]));
  spokenAgain(() => {
    drawNumbers();
    drawInbox([]);
  });
  poll();
  setInterval(poll, POLL_MS);
  setInterval(runDown, 500);
}

/** Shows another phone. */
export function choose(phone) {
  chosen = international(phone);
  if (chosen && !numbers.includes(chosen)) numbers.push(chosen);
  unread.delete(chosen);
  address(chosen);
  shown = [];
  drawNumbers();
  bringIntoRow();
  drawInbox([]);
  if (chosen) read([]);
}

/** Looks for news at once: a message to a phone was just seen. */
export function lookNow() {
  setTimeout(poll, 60);
}

async function poll() {
  const phones = await get('/handsets');
  if (!phones) return;
  const told = new Map(phones.map(({ phone, newest: { id, received_at: at } }) => [international(phone), idOf({ id, received_at: at })]));
  // A lab that was started anew has other messages, or none: what is shown is no longer on the phone.
  const gone = [...newest.keys()].filter((phone) => !told.has(phone));
  gone.forEach((phone) => newest.delete(phone) && unread.delete(phone));
  const news = [...told].filter(([phone, id]) => id !== newest.get(phone));
  news.forEach(([phone, id]) => newest.set(phone, id));
  for (const [phone] of news) if (!numbers.includes(phone)) numbers.push(phone);
  const elsewhere = news.map(([phone]) => phone).filter((phone) => phone !== chosen);
  if (primed) elsewhere.forEach((phone) => unread.add(phone));
  if (gone.includes(chosen) || news.some(([phone]) => phone === chosen)) await read();
  // The newest SMS is what somebody waits for.
  else if (primed && elsewhere.length === 1) {
    choose(elsewhere[0]);
    await read();
  }
  primed = true;
  drawNumbers();
}

async function read(before = shown) {
  const phone = chosen;
  const messages = await get(`/handsets/${phone}/messages`);
  if (!messages || phone !== chosen) return;
  const known = new Set(before.map(idOf));
  const fresh = primed ? messages.filter((message) => !known.has(idOf(message)) && now() - Date.parse(message.received_at) < 10_000) : [];
  shown = messages;
  drawInbox(fresh);
  if (fresh.length) announce(fresh.at(-1));
}

/** Numbers begin anew with the lab: only with its time is a message told from one before. */
const idOf = ({ id, received_at: at }) => `${id} ${at}`;

async function get(path) {
  try {
    const answer = await fetch(path);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function announce(message) {
  const code = codeOf(message.text);
  document.getElementById('announce').textContent = `${say('newsms')} ${message.from}. ${code ? `${say('code')}: ${[...code].join(' ')}` : message.text}`;
  if (code && !halfOf(message.text)) did('sms');
  heard();
  const badge = document.getElementById('badge');
  if (document.body.dataset.tab !== 'phone') badge.hidden = false;
}

function drawNumbers() {
  document.getElementById('phone-number').textContent = shownPhone(chosen);
  const buttons = numbers.map((phone) => node('button', { type: 'button', 'aria-pressed': String(phone === chosen), class: unread.has(phone) ? 'unread' : '', dir: 'ltr', onclick: () => choose(phone) }, shownPhone(phone)));
  const row = document.getElementById('phone-numbers');
  // Once a second: only what is other than before is drawn, and whoever is on a button stays on it.
  const same = buttons.length === row.children.length && buttons.every((button, at) => button.isEqualNode(row.children[at]));
  if (same) return;
  const focused = [...row.children].indexOf(document.activeElement);
  row.replaceChildren(...buttons);
  row.children[focused]?.focus({ preventScroll: true });
}

/** Scrolls the row of numbers, and nothing else, until the chosen one is whole. */
function bringIntoRow() {
  const row = document.getElementById('phone-numbers');
  const [edge, own] = [row, row.querySelector('[aria-pressed="true"]')].map((box) => box?.getBoundingClientRect());
  if (!own) return;
  const shaded = 40;
  if (own.left < edge.left + shaded) row.scrollLeft += own.left - edge.left - shaded;
  else if (own.right > edge.right - shaded) row.scrollLeft += own.right - edge.right + shaded;
}

function drawInbox(fresh) {
  const received = shown.map((message) => ({ ...message, at: Date.parse(message.received_at) }));
  const all = [...received, ...sentBy(chosen)].sort((a, b) => a.at - b.at);
  document.getElementById('inbox-none').hidden = all.length > 0;
  const ids = new Set(fresh.map(({ id }) => id));
  inbox.replaceChildren(...all.slice(-30).map((message) => (message.id ? bubble(message, ids.has(message.id)) : outgoing(message))));
  runDown();
  inbox.scrollTop = inbox.scrollHeight;
}

function outgoing({ to, text, at }) {
  return node('li', { class: 'sms out' },
    node('span', { class: 'from' }, node('b', {}, `${say('you')} ${document.documentElement.dir === 'rtl' ? '←' : '→'} `, node('span', { dir: 'ltr' }, digits(to))), node('time', {}, digits(tehran(at).slice(0, 5)))),
    node('p', { dir: 'auto' }, text));
}

function bubble({ from, text, at }, isNew) {
  const code = codeOf(text);
  const until = validUntil(text, at);
  const lines = text.split('\n').map((line) => {
    const app = appAt(line);
    if (app) return node('button', { type: 'button', class: 'link', dir: 'ltr', onclick: app }, line);
    const isCode = code && line.endsWith(code) && !line.startsWith('@');
    if (!isCode) return node('span', { class: line.startsWith('@') ? 'bound' : 'line', dir: 'auto' }, line);
    return node('span', { class: 'code' }, line.slice(0, -code.length), copier(code, say('copycode'), node('b', {}, code), node('i', { class: 'icon', 'aria-hidden': 'true' })));
  });
  return node('li', { class: isNew ? 'sms fresh' : 'sms', 'data-until': until },
    node('span', { class: 'from' }, node('b', { dir: 'auto' }, from), node('time', {}, digits(tehran(at).slice(0, 5)))),
    node('p', { dir: 'auto' }, lines),
    until && node('span', { class: 'left' }, node('progress', { max: 120, value: 0, 'aria-hidden': 'true' }), node('span')));
}

/** The PIN of a text: in its last line (origin-bound one-time codes), or after its name. */
export function codeOf(text) {
  return /(?:^|\n)@\S+ #(\d{4,12})\s*$/.exec(text)?.[1] ?? /(?:رمز|PIN|code)\s*[::]\s*(\d{4,12})(?!\d)/i.exec(text)?.[1] ?? halfOf(text);
}

/** The half of an activation code: eight digits, the last in their line. */
const halfOf = (text) => /(?:سازی|activation code)\s*:\s*(\d{8})$/im.exec(text)?.[1];

/** When a text's PIN runs out: a Tehran wall clock at most a day after it came. */
function validUntil(text, at) {
  const found = /(\d\d):(\d\d):(\d\d)/.exec(text);
  if (!found) return null;
  const seconds = (hms) => hms.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return at + ((seconds(found[0]) - seconds(tehran(at)) + 86_400) % 86_400) * 1000;
}

function runDown() {
  for (const item of inbox.querySelectorAll('[data-until]')) {
    const left = Math.ceil((Number(item.dataset.until) - now()) / 1000);
    item.classList.toggle('over', left <= 0);
    item.querySelector('progress').value = Math.max(left, 0);
    item.querySelector('.left span').textContent = left > 0 ? `${digits(left)} ${say('goodfor')}` : say('ranout');
  }
}
