// Runs the tests one after the other against the lab that `run` started, a line each. The last line is `N passed, M failed`.
// Words on the command line pick the tests whose names have one of them.

import { Chromium } from "./chromium.mjs";
import { Lab } from "./lab.mjs";

const LIMIT_MS = 180_000;
const rooms = [
  "portal", "shop", "paying", "kinds", "refusals", "binding", "silence", "stalled", "waiting", "once", "access", "terminal", "till", "texting", "token", "codes", "phone", "thief", "app", "care", "kept", "directory", "looks", "kindlooks", "applooks", "secrets",
];

const words = process.argv.slice(2);
const wanted = (name) => words.length === 0 || words.some((word) => name.includes(word));
// Whatever ends it early is a failure that is counted.
process.on("uncaughtException", (error) => {
  console.log(`✗ ${error.stack ?? error}\n${passed} passed, ${failed + 1} failed`);
  process.exit(1);
});
let passed = 0;
let failed = 0;
const lab = await Lab.at(process.env.LAB);
const chromium = await Chromium.start(process.env);

for (const room of rooms) {
  const { tests } = await import(`./${room}.mjs`);
  for (const [name, test] of Object.entries(tests)) {
    if (!wanted(`${room}: ${name}`)) continue;
    const from = performance.now();
    const error = await attempt(name, test);
    const took = `${((performance.now() - from) / 1000).toFixed(1)} s`;
    if (error) {
      failed += 1;
      console.log(`✗ ${room}: ${name} (${took})\n${String(error.stack ?? error).replace(/^/gm, "    ")}`);
    } else {
      passed += 1;
      console.log(`✓ ${room}: ${name} (${took})`);
    }
  }
}
await chromium.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

/** What went wrong, if anything did. A page that is open then is kept as a picture. */
async function attempt(name, test) {
  const desk = chromium.desk(lab);
  let timer;
  const limit = new Promise((_, give) => {
    timer = setTimeout(() => give(new Error(`not done after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    await Promise.race([test(desk, lab), limit]);
    desk.hold();
    return null;
  } catch (error) {
    await desk.picture(`failed-${name.replace(/\W+/g, "-")}`);
    return error;
  } finally {
    clearTimeout(timer);
    await lab.listen();
    await desk.leave();
  }
}
