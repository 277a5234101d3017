// The lab's clock: shown in Tehran's time, moved forward by buttons.

import { spokenAgain } from '/assets/words.js';
import { digits, tehran, tehranDate } from '/assets/text.js';

let ahead = 0;

/** The lab's present, milliseconds since the Unix epoch. */
export const now = () => Date.now() + ahead;

export function startClock() {
  const time = document.getElementById('clock-time');
  const date = document.getElementById('clock-date');
  const phone = document.getElementById('phone-time');
  const show = () => {
    const hms = tehran(now());
    time.textContent = digits(hms);
    phone.textContent = digits(hms.slice(0, 5));
    date.textContent = tehranDate(now());
  };
  for (const button of document.querySelectorAll('[data-advance]')) {
    button.addEventListener('click', async () => {
      button.disabled = true;
      await read({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ advance_s: Number(button.dataset.advance) }) });
      button.disabled = false;
      time.classList.remove('moved');
      requestAnimationFrame(() => time.classList.add('moved'));
      show();
    });
  }
  read().then(show);
  setInterval(show, 500);
  // Others may move it too.
  setInterval(read, 5000);
  spokenAgain(show);
}

async function read(request) {
  try {
    const answer = await fetch('/lab/clock', request);
    if (answer.ok) ahead = Date.parse((await answer.json()).now) - Date.now();
  } catch {
    // The trace says that the lab is away.
  }
}
