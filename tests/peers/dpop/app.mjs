// Proofs that the app's own module signs, looked at by the bank's side: app.mjs PROOF_PEER FILE. Those of one key are written to FILE, for
// a foreign reader.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { jwkOf, newKey, prove } from "../../../web/app/js/crypto/proof.js";

const [program, file] = process.argv.slice(2);
const device = "d5c1a0e29b7f4c3e8a6b5d4f3e2c1b0a";
const url = "https://app.bank.example/app/cards";
const nowMs = 1_795_485_164_321;
const requests = [
  { name: "a write", method: "POST", body: '{"name":"گوشی من"}', counter: 7 },
  { name: "a read", method: "GET", body: "" },
  { name: "a write without a body", method: "DELETE", body: "", counter: 2 ** 53 - 1 },
];

const ours = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
let passed = 0;
let failed = 0;

/** What the bank says of a proof of this request. */
async function check(what, expect, pair, signed, asked = signed) {
  const proof = await prove(pair, { url, device, nowMs, ...signed });
  const key = await jwkOf(pair.publicKey);
  const { method, body } = asked;
  ours.stdin.write(`${JSON.stringify({ method, body, url: asked.url ?? url, device: asked.device ?? device, key: asked.key ?? key, now_ms: asked.nowMs ?? nowMs, proof })}\n`);
  const found = (await lines.next()).value ?? "it ended";
  if (found === expect || (!expect.startsWith("ok") && found.includes(expect))) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${what}: ${found}`);
  }
  return proof;
}

// Many keys and signatures, as a number that begins with zeros comes once in some hundred.
for (let n = 0; n < 300; n += 1) {
  const pair = await newKey();
  for (const request of requests) await check(request.name, request.counter === undefined ? "ok" : `ok ${request.counter}`, pair, request);
}

const pair = await newKey();
const [write, read] = requests;
await check("another body", "claim bh", pair, write, { ...write, body: "{}" });
await check("another method", "claim htm", pair, write, { ...write, method: "PUT" });
await check("another path", "claim htu", pair, write, { ...write, url: `${url}/x` });
await check("another device", "claim ath", pair, write, { ...write, device: "0".repeat(32) });
await check("a later time", "iat", pair, write, { ...write, nowMs: nowMs + 121_000 });
await check("another key", "key is not the device's", pair, write, { ...write, key: await jwkOf((await newKey()).publicKey) });
await check("a write without a counter", "claim ctr", pair, { ...write, counter: undefined });
await check("a read with a counter", "claim ctr", pair, { ...read, counter: 7 });

const signed = [];
for (const request of requests) signed.push({ ...request, proof: await prove(pair, { url, device, nowMs, ...request }) });
writeFileSync(file, JSON.stringify({ device, url, cases: [], ours: signed }));
ours.stdin.end();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
