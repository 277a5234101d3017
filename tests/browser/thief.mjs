// What a thief gets: of an image of the storage, and with the phone in his hand, open, and without the app's PIN.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freed, Holder } from "./holder.mjs";
import { APP_PIN, App } from "./ramznegar.mjs";
import { computed, image, traces } from "./stolen.mjs";

const PIN = "271828";
const NEXT = "314159";
/** The right ones among others, as a thief would try them. */
const GUESSES = [PIN, NEXT, ...Array.from({ length: 20 }, (_, n) => String(100003 + n * 43117))];

/** A phone with two cards and a fingerprint, that has made codes, and whose PIN was changed. With what was secret on the way. */
async function used(desk, lab) {
  const [card, second] = [1, 2].map((n) => lab.card(lab.known.banks[1].id, n));
  freed(desk, lab, second);
  const holder = await Holder.of(desk, lab, card);
  await holder.finger();
  const secrets = [card, second].flatMap(({ pan }) => [{ name: "a card number", digits: pan.slice(0, 15), part: true }]);
  const digits = (name, digits) => secrets.push({ name, digits });
  const first = await holder.begin(PIN);
  const other = await holder.did("addCard", { pan: second.pan, expiry: second.expiry });
  await holder.did("enableFingerprint");
  for (const pin of [PIN, NEXT]) digits("an app PIN", pin);
  for (const reference of [first, other]) digits("a code", await holder.code(reference));
  await holder.nextMinute();
  digits("a code", await holder.code(first, "first", 2));
  secrets.push(...(await computed(holder.page, [PIN])), ...(await image(holder.page)).filter(({ at, bytes }) => bytes && /salt|masked|wrapped/.test(at)).map(({ at, bytes }) => ({ name: `of the old PIN, ${at}`, bytes })));
  await holder.did("changePin", PIN, NEXT);
  await holder.did("enableFingerprint");
  await holder.nextMinute();
  await holder.did("setCeiling", first, "second", 1);
  await holder.did("setCeiling", first, "second", 2);
  digits("a code", await holder.code(other));
  return { holder, secrets, first, other };
}

export const tests = {
  async "an image of the storage has no secret in it, and nothing that tells the right PIN from twenty others"(desk, lab) {
    const { holder, secrets } = await used(desk, lab);
    const { page } = holder;
    const all = [...secrets, ...(await computed(page, GUESSES))];
    assert.ok(all.length > 2000);
    // What a seed is the bank knows: the codes that are computed under the right PIN are those that it takes.
    await holder.nextMinute();
    await holder.did("prove");
    const entries = await image(page);
    assert.ok(entries.some(({ at }) => at.includes("masked")) && entries.some(({ at }) => at.includes("fingerprint")), "the storage was looked into");
    assert.deepEqual(entries.filter(({ at }) => /shape|colour|picture/i.test(at)), []);
    assert.deepEqual(traces(entries, all), []);

    // The same search finds what must not be there.
    const right = (name) => all.find((one) => one.name === `${name} of ${NEXT}`);
    const [stretched, seed, mac, code] = [right("stretched PIN"), right("seed"), right("device's MAC of stretched"), right("code")];
    const plants = {
      "a seed in the clear": [seed, (hex) => indexedDBPut(page, { kept: { seed: hex } }, "bytes")],
      "a hash of the stretched PIN": [right("SHA-256 of stretched"), (hex) => page.evaluate((hex) => localStorage.setItem("check", hex), hex)],
      "eight bytes of a MAC": [mac, (hex) => indexedDBPut(page, { verifier: { tag: hex.slice(0, 16) } }, "bytes")],
      "the stretched PIN in base64": [stretched, (hex) => page.evaluate((text) => sessionStorage.setItem("s", `x${text}`), Buffer.from(hex, "hex").toString("base64"))],
      "a code": [code, (digits) => page.evaluate((digits) => localStorage.setItem("last", `code ${digits}!`), digits)],
      "the PIN in Persian digits": [{ digits: NEXT }, () => page.evaluate(() => localStorage.setItem("pin", "۳۱۴۱۵۹"))],
      "a card number in a cache": [{ digits: secrets[0].digits }, (digits) => page.evaluate(async (digits) => (await caches.open("c")).put("/x", new Response(`{"pan":"${digits}9"}`)), digits)],
    };
    for (const [what, [secret, plant]] of Object.entries(plants)) {
      await plant(secret.bytes ?? secret.digits);
      assert.ok(traces(await image(page), all).length > 0, `${what} was not found`);
      await page.evaluate(async () => {
        localStorage.clear();
        sessionStorage.clear();
        await caches.delete("c");
        await new Promise((done) => { indexedDB.deleteDatabase("planted").onsuccess = done; });
      });
    }
    assert.deepEqual(traces(await image(page), all), []);
  },

  async "what the browser writes to the disk while somebody uses the app has no secret in it"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const profile = await mkdtemp(join(tmpdir(), "profile-"));
    const app = await App.of(desk, lab, card, { profile });
    const halves = await app.halves();
    await app.activate(halves);
    await app.choosePin();
    await app.addCard();
    const digits = [card.pan, card.pan.replace(/(.{4})(?=.)/g, "$1 "), APP_PIN, halves.receipt, halves.sms, await app.code(), await app.code()];
    await app.lock();
    await app.unlock();
    const made = (await computed(app.page, [APP_PIN])).filter(({ bytes }) => bytes);
    const masked = (await image(app.page)).find(({ at }) => at.endsWith("masked")).bytes;
    const entries = await image(app.page);
    assert.ok(entries.some(({ at }) => at.startsWith("caches/")), "the worker keeps the app");
    assert.deepEqual(traces(entries, [...made, ...digits.map((digits) => ({ name: "what was typed or shown", digits }))]), []);
    // What is kept for a tab that may come back is written after some seconds at the latest, and when the browser is closed.
    await app.page.context().close();
    const forms = (bytes) => [Buffer.from(bytes, "hex"), Buffer.from(bytes), Buffer.from(Buffer.from(bytes, "hex").toString("base64"))];
    const secrets = [
      ...made.flatMap(({ name, bytes }) => forms(bytes.slice(0, 12)).map((form) => [name, form])),
      ...digits.flatMap((text) => [Buffer.from(text), Buffer.from(text, "utf16le")].map((form) => ["what was typed or shown", form])),
    ];
    const [found, seen] = [[], []];
    for (const entry of await readdir(profile, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = await readFile(join(entry.parentPath ?? entry.path, entry.name));
      for (const [name, form] of secrets) if (content.includes(form)) found.push(`${name} in ${entry.name}`);
      if (content.includes(Buffer.from(masked, "hex"))) seen.push(entry.name);
    }
    assert.ok(seen.length > 0, "the files were looked into: a masked seed is there as it is");
    assert.deepEqual(found, []);
  },

  async "with the open phone and without the app's PIN nothing is had that a thief would want"(desk, lab) {
    const [card, second] = [1, 2].map((n) => lab.card(lab.known.banks[1].id, n));
    const holder = await Holder.of(desk, lab, card);
    desk.expect("403 (Forbidden)", "429 (Too Many Requests)", "409 (Conflict)", "401 (Unauthorized)", "404 (Not Found)");
    desk.afterwards(() => lab.service(card, "940000"));
    const reference = await holder.begin(PIN);
    await holder.did("setCeiling", reference, "second", 1);
    // Ten minutes later it is somebody else's, and locked.
    await lab.advance(11 * 60);
    await holder.reload();
    const thief = new Thief(holder.page);
    const before = await thief.card(reference);
    const path = (what) => `/app/cards/${reference}/${what}`;
    const guess = "7777777";

    const none = [403, "control-code"];
    assert.deepEqual(await thief.adds(second), none, "no card is added");
    assert.deepEqual(await thief.asks("PUT", path("ceiling"), { slot: "second", ceiling: 4 }), none, "no ceiling is raised");
    assert.deepEqual(await thief.asks("PUT", path("ceiling"), { slot: "second", ceiling: 0 }), none, "nor taken away");
    assert.deepEqual(await thief.asks("PUT", path("first-pin"), { on: true }), none, "the first PIN is not switched");
    assert.deepEqual(await thief.asks("PUT", path("first-pin"), { on: false }), none, "nor back");
    assert.deepEqual(await thief.asks("PUT", path("second-pin"), { on: false }), [200, undefined], "off, whoever does it, makes less possible");
    assert.deepEqual(await thief.asks("PUT", path("second-pin"), { on: true }), none, "the second PIN is not switched on");
    assert.deepEqual(await thief.card(reference), { ...before, second: { ...before.second, on: false } });

    // What is missing is the code: with it, the same requests are taken.
    const code = await controlCode(holder.page, PIN, reference);
    assert.deepEqual(await thief.asks("PUT", path("second-pin"), { on: true, control_code: code }), [200, undefined]);
    assert.deepEqual(await thief.asks("PUT", path("second-pin"), { on: false }), [200, undefined]);

    // Guesses are counted together, wherever they are tried, and then nothing is looked at any more: the right code neither.
    const locked = [429, "control-locked"];
    assert.deepEqual(await thief.asks("POST", path("resync"), { codes: [guess, guess] }), [409, "no-consecutive-codes"]);
    assert.deepEqual(await thief.adds(second, { card: reference, code: guess }), none);
    assert.deepEqual(await thief.asks("PUT", path("first-pin"), { on: true, control_code: guess }), locked, "the third locks");
    assert.deepEqual(await thief.asks("PUT", path("ceiling"), { slot: "second", ceiling: 4, control_code: guess }), locked);
    assert.deepEqual(await thief.adds(second, { card: reference, code: guess }), locked);
    await holder.did("unlock", PIN);
    assert.equal((await holder.does("prove")).trouble, "control-locked");
    const { control, refusals, ...after } = await thief.card(reference);
    assert.equal(control.locked, true);
    assert.deepEqual(refusals.map(({ why }) => why), ["tries_exceeded", "wrong_pin", "no_consecutive_codes"], "the holder is told of each");
    assert.deepEqual({ ...after, control: before.control, refusals: before.refusals }, { ...before, second: { ...before.second, on: false } });

    // What was sent once is not good twice, and nobody else's key signs for the device.
    assert.deepEqual(await thief.repeats("PUT", path("second-pin"), { on: false }), [[200, undefined], [409, "counter-used"]]);
    assert.deepEqual(await thief.strangers("PUT", path("second-pin"), { on: false }), [401, "not-proved"]);
  },
};

/** The control code of this minute, as the phone computes it under a PIN. */
function controlCode(page, pin, reference) {
  return page.evaluate(async ([pin, reference]) => {
    const { hmacKey } = await import("/assets/js/crypto/bytes.js");
    const { masked, stretch } = await import("/assets/js/crypto/mask.js");
    const { code, stepAt } = await import("/assets/js/crypto/ocra.js");
    const { Kept } = await import("/assets/js/kept.js");
    const kept = new Kept();
    await kept.read();
    const { secret, salt, cards } = kept.state;
    const card = cards.find((one) => one.reference === reference);
    const seed = await masked(secret, reference, await stretch(pin, salt), card.masked);
    const { now_ms: nowMs } = await (await fetch("/app/time")).json();
    return code(await hmacKey(seed), card.told.digits, "control", 0, stepAt(nowMs));
  }, [pin, reference]);
}

/** A record in a database of its own, its texts made bytes. */
function indexedDBPut(page, value) {
  return page.evaluate(async (value) => {
    const bytes = (one) => (typeof one === "string" ? Uint8Array.from(one.match(/../g), (pair) => parseInt(pair, 16)) : Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, bytes(inner)])));
    await new Promise((done, fail) => {
      const request = indexedDB.open("planted", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("s");
      request.onsuccess = () => {
        const transaction = request.result.transaction("s", "readwrite");
        transaction.objectStore("s").put(bytes(value), "k");
        transaction.oncomplete = () => (request.result.close(), done());
      };
      request.onerror = fail;
    });
  }, value);
}

/** A script in the app's origin: it uses the keys that lie there, and has never seen the PIN. */
class Thief {
  constructor(page) {
    this.page = page;
  }

  /** A signed request: its status, and which problem. `how` changes the way it is signed. */
  run(method, path, body, how = {}) {
    return this.page.evaluate(async ([method, path, body, how]) => {
      const { newKey, prove } = await import("/assets/js/crypto/proof.js");
      const state = await new Promise((done, fail) => {
        const request = indexedDB.open("ramz");
        request.onerror = fail;
        request.onsuccess = () => {
          const read = request.result.transaction("phone").objectStore("phone").get("state");
          read.onsuccess = () => (request.result.close(), done(read.result));
        };
      });
      const { device } = state.activated;
      const { now_ms: nowMs } = await (await fetch("/app/time")).json();
      globalThis.counted = Math.max(globalThis.counted ?? 0, state.counter, nowMs) + 1;
      const counter = method === "GET" ? undefined : globalThis.counted;
      const pair = how.stranger ? await newKey() : state.pair;
      const text = body ? JSON.stringify(body) : "";
      const proof = await prove(pair, { method, url: location.origin + path, device, body: text, counter, nowMs });
      const headers = { authorization: `DPoP ${device}`, dpop: proof, ...(text ? { "content-type": "application/json" } : {}) };
      const send = async () => {
        const answer = await fetch(path, { method, headers, body: text || null });
        const told = answer.status === 204 ? null : await answer.json();
        return { said: [answer.status, told?.type?.split("/").pop()], told };
      };
      const answers = [await send()];
      if (how.again) answers.push(await send());
      return answers;
    }, [method, path, body, how]);
  }

  async asks(method, path, body) {
    return plain((await this.run(method, path, body))[0].said);
  }

  async repeats(method, path, body) {
    return (await this.run(method, path, body, { again: true })).map(({ said }) => plain(said));
  }

  async strangers(method, path, body) {
    return plain((await this.run(method, path, body, { stranger: true }))[0].said);
  }

  /** Another card, with a seed of his own that is sealed as it should be. */
  async adds({ pan, expiry }, control) {
    const made = await this.page.evaluate(async () => {
      const { base64url, bytes, fromHex, hex, random } = await import("/assets/js/crypto/bytes.js");
      const { seal } = await import("/assets/js/crypto/hpke.js");
      const { Kept } = await import("/assets/js/kept.js");
      const kept = new Kept();
      await kept.read();
      const { device, key, keyVersion } = kept.state.activated;
      const reference = hex(random(16));
      const { enc, ciphertext } = await seal(key, "ramz-seed-1", bytes("ramz-seed-1", fromHex(device), fromHex(reference)), random(32));
      return { reference, seed: { key: keyVersion, enc: base64url(enc), ciphertext: base64url(ciphertext) } };
    });
    return this.asks("POST", "/app/cards", { ...made, pan, expiry, ...(control ? { control } : {}) });
  }

  /** A card as the bank has it. */
  async card(reference) {
    const [{ told }] = await this.run("GET", "/app/cards");
    return told.cards.find((card) => card.reference === reference);
  }
}

/** An undefined end comes back from a page as null. */
const plain = ([status, problem]) => [status, problem ?? undefined];
