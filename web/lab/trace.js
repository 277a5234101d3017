// The live trace: a sequence diagram that grows while it happens. Each row is one message and opens to its fields.

import { say, spokenAgain } from '/assets/words.js';
import { digits, node, tehran } from '/assets/text.js';
import { LANES, WIRES, codeSays, fieldName, laneOf, shownName, wireClass, valueSays } from '/assets/fields.js';

const ROWS_MAX = 500;

const rows = document.getElementById('rows');
const roll = document.getElementById('roll');
const lanes = [...LANES];
// Sign-ons and echoes keep the links alive and tell nothing of a payment: hidden until asked for.
const hidden = new Set(['upkeep']);
const isUpkeep = ({ wire, title }) => wire === 'ISO 8583' && /^08\d\d /.test(title);
let banks = [];
let facts = [];
let held = [];
let fresh = [];
let paused = false;
let words = '';
// Whether the newest is in sight, and is to stay so.
let following = true;
let last = 0;
// The number of the newest message when the page was opened: up to it, all is history.
let opened = 0;

/** Follows the lab's messages; `heard` is told each new one (not those from before). */
export function startTrace(lab, heard) {
  ({ banks } = lab);
  const pause = document.getElementById('trace-pause');
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    if (!paused) held.splice(0).forEach(take);
    sayPause();
  });
  document.getElementById('trace-clear').addEventListener('click', () => {
    [facts, held, fresh] = [[], [], []];
    draw();
    sayPause();
  });
  document.getElementById('trace-filter').addEventListener('input', (event) => {
    words = event.target.value.trim().toLowerCase();
    sift();
  });
  roll.addEventListener('scroll', () => {
    following = roll.scrollHeight - roll.scrollTop - roll.clientHeight < 80;
  });
  // Hidden behind another tab, turned or grown: the end is elsewhere then.
  new ResizeObserver(() => following && toEnd()).observe(roll);
  const grow = document.getElementById('trace-grow');
  grow.addEventListener('click', () => setGrown(grow, grow.getAttribute('aria-pressed') !== 'true'));
  document.addEventListener('keydown', ({ key }) => key === 'Escape' && setGrown(grow, false));
  spokenAgain(() => {
    drawWires();
    draw();
    sayPause();
    setGrown(grow, grow.getAttribute('aria-pressed') === 'true');
  });
  follow(heard);
}

function setGrown(button, grown) {
  document.body.classList.toggle('grown', grown);
  button.setAttribute('aria-pressed', String(grown));
  button.textContent = say(grown ? 'shrink' : 'grow');
}

function sayPause() {
  document.getElementById('trace-pause').textContent = paused ? `${say('resume')}${held.length ? ` (${digits(held.length)})` : ''}` : say('pause');
}

async function follow(heard) {
  const live = document.getElementById('trace-live');
  const down = document.getElementById('trace-down');
  let isDown = false;
  spokenAgain(() => (down.textContent = isDown ? say('dead') : ''));
  opened = await newest();
  const stream = new EventSource('/trace/stream');
  stream.onopen = () => {
    live.className = 'live on';
    live.title = say('live');
    isDown = false;
    down.textContent = '';
  };
  stream.onerror = () => {
    live.className = 'live off';
    live.title = say('dead');
    isDown = true;
    down.textContent = say('dead');
  };
  stream.onmessage = ({ data }) => {
    const fact = JSON.parse(data);
    // Lower numbers than before: the lab was started anew.
    if (fact.seq <= last) {
      [facts, fresh, held, opened] = [[], [], [], 0];
      draw();
      sayPause();
    }
    last = fact.seq;
    if (paused) {
      held = [...held, fact].slice(-ROWS_MAX);
      sayPause();
    } else take(fact);
    if (fact.seq > opened) heard(fact);
  };
}

async function newest() {
  try {
    const answer = await fetch('/trace');
    return answer.ok ? (await answer.json()).last : 0;
  } catch {
    return 0;
  }
}

/** Shown with what else comes until the page is painted next: where the end is is asked of the whole list, once for all of them. */
function take(fact) {
  if (fresh.push(fact) === 1) requestAnimationFrame(show);
  if (fresh.length > ROWS_MAX) fresh.shift();
}

function toEnd() {
  roll.scrollTop = roll.scrollHeight;
}

function show() {
  const known = lanes.length;
  const shown = fresh.splice(0).map(add);
  if (lanes.length > known) return draw();
  rows.append(...shown.slice(-ROWS_MAX));
  while (rows.childElementCount > ROWS_MAX) rows.firstElementChild.remove();
  if (following) toEnd();
}

function add(fact) {
  facts.push(fact);
  if (facts.length > ROWS_MAX) facts.shift();
  for (const name of [fact.from, fact.to]) {
    if (!laneOf(name) && !lanes.includes(name) && lanes.length < 12) lanes.push(name);
  }
  const made = row(fact, facts.slice(-41, -1));
  made.classList.add('fresh');
  siftRow(made);
  if (made.hidden) return made;
  document.getElementById('quiet').hidden = true;
  for (const name of [fact.from, fact.to]) {
    const head = document.getElementById('heads').children[place(name)];
    head?.animate?.([{ color: 'var(--lapis)' }, {}], { duration: 1200 });
    head?.classList.add('met');
  }
  return made;
}

const place = (name) => Math.max(lanes.indexOf(laneOf(name) ?? name), 0);

function draw() {
  roll.style.setProperty('--lanes', lanes.length);
  document.getElementById('heads').replaceChildren(...lanes.map((lane) => node('span', { class: facts.some((fact) => !isUpkeep(fact) && [fact.from, fact.to].some((n) => (laneOf(n) ?? n) === lane)) ? 'met' : '' }, LANES.includes(lane) ? say(`lane_${lane}`) : lane)));
  rows.replaceChildren(...facts.map((fact, i) => row(fact, facts.slice(Math.max(0, i - 40), i))));
  document.getElementById('quiet').hidden = facts.some((fact) => !isUpkeep(fact));
  sift();
  toEnd();
}

function drawWires() {
  const chips = [...WIRES, ['upkeep', 'iso']];
  document.getElementById('wires').replaceChildren(...chips.map(([name, kind]) => node('button', { type: 'button', class: kind, 'aria-pressed': String(!hidden.has(name)), dir: 'ltr', onclick: (event) => {
    if (!hidden.delete(name)) hidden.add(name);
    event.currentTarget.setAttribute('aria-pressed', String(!hidden.has(name)));
    sift();
  } }, name === 'upkeep' ? say('upkeep') : name)));
}

function row(fact, earlier) {
  const [from, to] = [place(fact.from), place(fact.to)];
  const arrow = node('span', { class: `arrow ${wireClass(fact.wire)}${from > to ? ' back' : ''}${from === to ? ' self' : ''}` }, node('span', { class: 'title', dir: 'ltr' }, fact.title, outcome(fact)));
  arrow.style.gridColumn = `${Math.min(from, to) + 1} / ${Math.max(from, to) + 2}`;
  arrow.style.setProperty('--span', Math.abs(to - from) + 1);
  const way = `${shownName(fact.from, banks)} ${document.documentElement.dir === 'rtl' ? '←' : '→'} ${shownName(fact.to, banks)}`;
  const summary = node('summary', {}, node('time', { dir: 'ltr' }, `${tehran(fact.at_ms)}.${String(fact.at_ms % 1000).padStart(3, '0')}`), node('span', { class: 'way' }, way), node('span', { class: 'lanes' }, arrow));
  const details = node('details', {}, summary);
  // Most rows are never opened, and their fields are nine tenths of what a page with all of them would hold.
  const open = () => details.append(node('div', { class: 'inside' }, node('p', {}, node('b', {}, way), node('span', { class: `wire ${wireClass(fact.wire)}`, dir: 'ltr' }, fact.wire), node('span', { class: 'seq' }, `#${digits(fact.seq)}`)), fields(fact)));
  details.addEventListener('toggle', open, { once: true });
  const before = earlier.findLast((one) => !isUpkeep(one));
  const pause = before && !isUpkeep(fact) && fact.at_ms - before.at_ms > 4000;
  const made = node('li', { class: pause ? 'later' : '' }, details);
  made.fact = fact;
  return made;
}

/** The response code of an answer, in words. */
function outcome({ wire, fields: told }) {
  const code = wire === 'ISO 8583' && told.find(([name]) => /^(DE|F)?39\b/.test(name))?.[1];
  if (!code) return null;
  return node('em', { class: code === '00' ? 'yes' : 'no', dir: 'auto' }, codeSays(code) || code);
}

function fields({ fields: told }) {
  if (!told.length) return node('p', { class: 'nofields' }, say('nofields'));
  const kind = told.find(([name]) => fieldName(name).number === '3')?.[1];
  return node('dl', {}, told.map(([name, value]) => {
    const { number, words: called } = fieldName(name);
    const says = valueSays(number, value, kind);
    const shown = node('dd', { dir: 'auto', class: /\*{2,}/.test(value) ? 'masked' : '' }, value || say('none'), says && node('small', { dir: 'auto' }, says));
    return node('div', {}, node('dt', {}, number && node('b', { dir: 'ltr' }, number), called), shown);
  }));
}

const sift = () => [...rows.children].forEach(siftRow);

function siftRow(item) {
  const { fact } = item;
  const text = () => [fact.title, fact.from, fact.to, shownName(fact.from, banks), shownName(fact.to, banks), ...fact.fields.flat()].join(' ').toLowerCase();
  item.hidden = hidden.has(fact.wire) || (hidden.has('upkeep') && isUpkeep(fact)) || (words !== '' && !text().includes(words));
}
