// What is on the phone beside its messages: the banks' apps. They are the real ones, each from its bank's own door, and what they keep
// stays in this browser: one browser is one phone, whichever number is in the hand.

import { say, spoken, spokenAgain } from '/assets/words.js';
import { node } from '/assets/text.js';
import { bankName } from '/assets/fields.js';
import { hueOf } from '/assets/hues.js';
import { did } from '/assets/steps.js';

/** What an app may do in its frame as it may in a window. */
const ALLOW = 'publickey-credentials-get; publickey-credentials-create; clipboard-write; otp-credentials';
const MESSAGES = 'messages';

const handset = document.getElementById('handset');
const home = document.getElementById('home');
const view = document.getElementById('app-view');
const frames = new Map();
let banks = [];
let first = '';
let news = false;

export function startApps(lab) {
  banks = lab.banks.filter(({ app }) => app);
  first = banks[0]?.id ?? '';
  spokenAgain(draw);
}

/** The bank of the card in the hand: its app comes first. */
export function holdBank(id) {
  first = id;
  draw();
}

/** A message came. Whether it can be seen now, or a mark says so. */
export function heard() {
  if (handset.dataset.place === MESSAGES) return;
  news = true;
  draw();
}

const name = (bank) => bankName(bank).replace(/^(بانک|Bank) /, '');
const shown = () => banks.find(({ id }) => id === handset.dataset.place);

/** Opens the app that lives at this address, if one does. */
export const appAt = (address) => {
  const bank = banks.find(({ app }) => app === address);
  return bank && (() => open(bank.id));
};

/** Shows the messages, or a bank's app. An app that was shown once goes on where it was. */
function open(place) {
  handset.dataset.place = place;
  document.body.dataset.place = place === MESSAGES ? MESSAGES : 'app';
  if (place === MESSAGES) news = false;
  const bank = shown();
  if (bank) {
    if (!frames.has(bank.id)) {
      const frame = node('iframe', { allow: ALLOW, src: `${bank.app}/?lang=${spoken()}`, 'data-bank': bank.id });
      frames.set(bank.id, frame);
      view.append(frame);
    }
    did('open');
    // On a narrow screen the page scrolls: all of the phone is seen then.
    if (matchMedia('(max-width: 62rem)').matches) handset.scrollIntoView({ block: 'end' });
  }
  draw();
}

function draw() {
  const bank = shown();
  document.getElementById('place-messages').hidden = Boolean(bank);
  document.getElementById('place-app').hidden = !bank;
  for (const [id, frame] of frames) {
    frame.hidden = id !== bank?.id;
    frame.title = `${say('app')}: ${bankName(banks.find((one) => one.id === id))}`;
  }
  if (bank) {
    document.getElementById('app-name').textContent = bankName(bank);
    document.getElementById('app-window').href = `${bank.app}/?lang=${spoken()}`;
  }
  const ordered = [...banks].sort((a, b) => (b.id === first) - (a.id === first));
  const focused = home.contains(document.activeElement) ? document.activeElement.dataset.place : null;
  home.replaceChildren(icon(MESSAGES, say('messages')), ...ordered.map((one) => icon(one.id, name(one), hueOf(one.id))));
  if (focused) home.querySelector(`[data-place="${focused}"]`)?.focus();
}

function icon(place, label, hue) {
  const marked = place === MESSAGES && news;
  const tile = node('span', { class: 'tile', 'aria-hidden': 'true' }, hue === undefined ? node('i', { class: 'bubble' }) : node('img', { src: '/assets/mark.svg', alt: '', width: 22, height: 22 }));
  if (hue !== undefined) tile.style.setProperty('--hue', hue);
  if (marked) tile.append(node('i', { class: 'news', id: 'sms-badge' }));
  const pressed = String(handset.dataset.place === place);
  const said = hue === undefined ? label : `${say('app')}: ${label}`;
  return node('button', { type: 'button', 'data-place': place, 'data-first': place === first, 'aria-pressed': pressed, 'aria-label': marked ? `${said}، ${say('newsms')}` : said, onclick: () => open(place) },
    tile, node('span', { class: 'label' }, label));
}
