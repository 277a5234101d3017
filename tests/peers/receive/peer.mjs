// Seeds sealed by the app's own module, opened by the bank's side: peer.mjs RECEIVE_PEER

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { bytes } from "../../../web/app/js/crypto/bytes.js";
import { seal } from "../../../web/app/js/crypto/hpke.js";

const INFO = "ramz-seed-1";
const hex = (data) => Buffer.from(data).toString("hex");

const ours = spawn(process.argv[2], { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
const line = async () => (await lines.next()).value ?? "it ended";
const [version, key] = (await line()).split(" ");
const bank = Uint8Array.from(Buffer.from(key, "hex"));

async function said(sealed, associated, toVersion = version) {
  ours.stdin.write(`${toVersion} ${hex(sealed.enc)} ${hex(sealed.ciphertext)} ${hex(bytes(associated)) || "-"}\n`);
  return line();
}

let passed = 0;
let failed = 0;

function check(what, holds, found) {
  if (holds) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${what}: ${found}`);
  }
}

// Many, as a point or a number that begins with zeros comes once in 256 seals.
for (let n = 0; n < 600; n += 1) {
  const seed = globalThis.crypto.getRandomValues(new Uint8Array(32));
  const associated = "a".repeat(n % 70);
  const found = await said(await seal(bank, INFO, bytes(associated), seed), associated);
  check(`seed ${n} is taken`, found === `taken ${hex(seed)}`, found);
}

const seed = new Uint8Array(32);
const good = await seal(bank, INFO, bytes("card"), seed);
const refused = (what, found, why) => check(what, found.startsWith("not received: ") && found.includes(why), found);
refused("other associated data", await said(good, "cars"), "altered");
refused("another info", await said(await seal(bank, "ramz-seed-2", bytes("card"), seed), "card"), "altered");
refused("a seed that is too short", await said(await seal(bank, INFO, bytes("card"), seed.slice(1)), "card"), "47 bytes");
refused("an unknown version", await said(good, "card", "9"), "the newest is 1");
good.ciphertext[0] ^= 1;
refused("an altered seed", await said(good, "card"), "altered");

ours.stdin.end();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
