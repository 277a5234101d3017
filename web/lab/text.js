// Numbers as people read them, nodes, and copying.

import { say, spoken } from '/assets/words.js';

const fa = (text) => String(text).replace(/[0-9]/g, (d) => String.fromCharCode(0x06f0 + Number(d)));

export const digits = (text) => (spoken() === 'fa' ? fa(text) : String(text));
export const amount = (n) => digits(String(n).replace(/\B(?=(\d{3})+$)/g, spoken() === 'fa' ? '٬' : ','));
export const groups = (pan) => String(pan).replace(/(\d{4})(?=\d)/g, '$1 ');

/** 09121234567, +98912…, 98912… → 98912… */
export const international = (phone) => String(phone ?? '').replace(/\D/g, '').replace(/^00/, '').replace(/^0/, '98');
/** 989121234567 → 0912 123 4567 */
export const shownPhone = (phone) => international(phone).replace(/^98(\d{3})(\d{3})(\d{4})$/, '0$1 $2 $3');

const clockParts = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Tehran', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
export const tehran = (ms) => clockParts.format(ms);
export const tehranDate = (ms) => new Intl.DateTimeFormat(spoken() === 'fa' ? 'fa-IR-u-ca-persian' : 'en-GB', { timeZone: 'Asia/Tehran', weekday: 'short', day: 'numeric', month: 'long' }).format(ms);

/** A node: attributes, then children. `class`, `data-*`, `aria-*` as in HTML; `on…` are listeners. */
export function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/** A button that copies `value` and says so for a moment. */
export function copier(value, label, ...children) {
  const button = node('button', { type: 'button', class: 'copier', dir: 'ltr', 'aria-label': `${say('copy')}: ${label}` }, ...children);
  button.addEventListener('click', async () => {
    await copy(value);
    button.dataset.copied = say('copied');
    setTimeout(() => delete button.dataset.copied, 1400);
  });
  return button;
}

async function copy(value) {
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    // No permission, or no secure context: the old way.
    const area = node('textarea', { class: 'hidden' });
    area.value = value;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}
