// What the scripts in Node share: our side as a process, and checks that are counted.
'use strict';
const { spawn } = require('node:child_process');
const readline = require('node:readline');

let failed = 0;
exports.check = (name, found, expected) => {
  const same = JSON.stringify(found) === JSON.stringify(expected);
  if (!same) failed += 1;
  console.log(`${same ? 'ok' : 'FAIL'} - ${name}`);
  if (!same) console.log(`  found    ${JSON.stringify(found)}\n  expected ${JSON.stringify(expected)}`);
};
exports.finish = () => process.exit(failed === 0 ? 0 : 1);

exports.ours = (...args) => {
  const child = spawn(process.env.SMPP_PEER, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    return done ? null : JSON.parse(value);
  };
  return { line, stop: () => child.stdin.end() };
};

// Everything must be over by then.
setTimeout(() => {
  console.log('FAIL - it took longer than a minute');
  process.exit(1);
}, 60_000).unref();
