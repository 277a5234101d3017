// The keypad: twelve keys and three more, by mouse, touch or keyboard. What a key means is the screen's.

import { say, spokenAgain } from '/assets/words.js';
import { digits, node } from '/assets/text.js';

const ROWS = [['1', '2', '3', 'cancel'], ['4', '5', '6', 'clear'], ['7', '8', '9', 'enter'], ['', '0', '', '']];

/** Calls `pressed` with a digit, or with `cancel`, `clear` or `enter`. */
export function startKeypad(pressed) {
  const pad = document.getElementById('pad');
  spokenAgain(() => pad.replaceChildren(...ROWS.flat().filter((key) => key !== '').map((key) => made(key, pressed))));
  document.addEventListener('keydown', (event) => {
    const key = meant(event);
    if (!key) return;
    event.preventDefault();
    // A key that is held down was pressed once.
    if (event.repeat) return;
    pad.querySelector(`[data-key="${key}"]`)?.animate?.([{ transform: 'translateY(2px)' }, {}], { duration: 120 });
    pressed(key);
  });
}

function made(key, pressed) {
  const isDigit = /\d/.test(key);
  const button = node('button', { type: 'button', class: isDigit ? 'digit' : key, 'data-key': key, onclick: () => pressed(key) }, isDigit ? digits(key) : say(`key_${key}`));
  // The focus stays where it was: whoever types after a press of the mouse does not press the key again with Enter.
  button.addEventListener('pointerdown', (event) => event.preventDefault());
  return button;
}

/** What a key of the keyboard means: digits of all three scripts, and the three keys beside them. */
function meant({ key, target, ctrlKey, altKey, metaKey }) {
  if (ctrlKey || altKey || metaKey || target.closest?.('input, select, textarea')) return null;
  const code = key.length === 1 ? key.codePointAt(0) : 0;
  for (const zero of [0x30, 0x6f0, 0x660]) if (code >= zero && code <= zero + 9) return String(code - zero);
  // A button or a link that has the focus is pressed with Enter.
  if (key === 'Enter') return target.closest?.('button, a') ? null : 'enter';
  return { Backspace: 'clear', Delete: 'clear', Escape: 'cancel' }[key] ?? null;
}
