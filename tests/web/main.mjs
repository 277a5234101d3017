// Runs the tests one after the other, a line each. The last line is `N passed, M failed`.

import "./node.mjs";

const rooms = ["codes", "masks", "typed", "clock", "asking", "words"];
let passed = 0;
let failed = 0;

for (const room of rooms) {
  const { tests } = await import(`./${room}.mjs`);
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      passed += 1;
      console.log(`✓ ${room}: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`✗ ${room}: ${name}\n${String(error.stack ?? error).replace(/^/gm, "    ")}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
