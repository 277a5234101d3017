// The lab's page: fetches what the lab is made of, and starts its parts.

import { speak, spoken, spokenAgain, say } from '/assets/words.js';
import { startClock } from '/assets/clock.js';
import { lookNow, startPhone } from '/assets/phone.js';
import { startApps } from '/assets/apps.js';
import { refresh, startWallet } from '/assets/wallet.js';
import { startTrace } from '/assets/trace.js';
import { isPaying, leavePayment, readStep, startSteps } from '/assets/steps.js';
import { laneOf } from '/assets/fields.js';

const button = document.getElementById('language');
button.addEventListener('click', () => speak(spoken() === 'fa' ? 'en' : 'fa'));
spokenAgain(() => {
  button.textContent = spoken() === 'fa' ? 'English' : 'فارسی';
  button.lang = spoken() === 'fa' ? 'en' : 'fa';
  document.querySelectorAll('.steps b').forEach((number, i) => (number.textContent = spoken() === 'fa' ? '۱۲۳۴۵'[i % 5] : (i % 5) + 1));
});

startTabs();
startSteps();
startClock();

const answer = await fetch('/lab.json');
const lab = await answer.json();
const shop = startShop(lab);
startApps(lab);
startPhone(lab);
startWallet(lab);
startDirectoryLink(lab);
startTrace(lab, (fact) => {
  readStep(fact);
  shop.heard(fact);
  if (laneOf(fact.to) === 'phone') lookNow();
  if (laneOf(fact.to) === 'switch' || laneOf(fact.to) === 'host') setTimeout(refresh, 300);
});

function startShop({ shop }) {
  const frame = document.getElementById('shop-frame');
  let isSettled = false;
  const home = () => {
    isSettled = false;
    frame.src = `${shop.url}/?lang=${spoken()}`;
  };
  // The payment page has an address of its own, which a frame does not tell: none is shown meanwhile.
  const address = () => {
    document.getElementById('shop-address').textContent = isPaying() ? '' : shop.url.replace(/^https?:\/\//, '');
  };
  address();
  document.getElementById('shop-home').addEventListener('click', () => {
    leavePayment();
    address();
    home();
  });
  // Back from a payment page in a tab of its own: the basket is another now.
  document.addEventListener('visibilitychange', () => {
    // Only then: what is half typed in the frame would be lost.
    if (!document.hidden && isSettled && !isPaying()) home();
  });
  spokenAgain(() => {
    document.getElementById('shop-window').href = `${shop.url}/?lang=${spoken()}`;
    frame.title = say('shop');
    // A change of language does not throw away a payment under way.
    if (!isPaying()) home();
  });
  const heard = ({ title }) => {
    if (title === '200 settled' && document.hidden) isSettled = true;
    address();
  };
  return { heard };
}

function startDirectoryLink({ router }) {
  const link = document.getElementById('directory-link');
  link.hidden = false;
  spokenAgain(() => {
    link.href = `${router.directory}/?lang=${spoken()}`;
  });
}

/** On a narrow screen one pane is shown at a time. */
function startTabs() {
  const tabs = document.getElementById('tabs');
  tabs.addEventListener('click', ({ target }) => {
    const tab = target.closest('[data-go]');
    if (!tab) return;
    document.body.dataset.tab = tab.dataset.go;
    for (const other of tabs.children) {
      if (other === tab) other.setAttribute('aria-current', 'true');
      else other.removeAttribute('aria-current');
    }
    if (tab.dataset.go === 'phone') document.getElementById('badge').hidden = true;
    scrollTo(0, 0);
  });
}
