// An image of a page's storage, and what a thief makes of it: everything that its script can read, and everything that can be computed
// from it under a PIN.

/** Whatever the page's origin keeps: `{ at, text }` or `{ at, bytes }` (hexadecimal), and `at` alone for keys that nobody reads. */
export function image(page) {
  return page.evaluate(async () => {
    const found = [];
    const hex = (data) => Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const isBytes = (list) => list.length > 0 && list.every((one) => Number.isInteger(one) && one >= 0 && one < 256);
    async function walk(at, value) {
      if (value instanceof CryptoKey) {
        if (value.extractable && value.type !== "public") found.push({ at, text: JSON.stringify(await crypto.subtle.exportKey("jwk", value)) });
        else found.push({ at: `${at} (${value.type} key)` });
      } else if (value instanceof ArrayBuffer) found.push({ at, bytes: hex(value) });
      else if (ArrayBuffer.isView(value)) found.push({ at, bytes: hex(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength)) });
      else if (value instanceof Blob) found.push({ at, bytes: hex(await value.arrayBuffer()) });
      else if (value instanceof Date) found.push({ at, text: value.toISOString() });
      else if (value instanceof Map || value instanceof Set) for (const [n, one] of [...value].entries()) await walk(`${at}/${n}`, one);
      else if (Array.isArray(value) && isBytes(value)) found.push({ at, bytes: hex(value) });
      else if (value && typeof value === "object") for (const [name, one] of Object.entries(value)) await walk(`${at}/${name}`, one);
      else found.push({ at, text: String(value) });
    }
    const answered = (request) => new Promise((done, fail) => {
      request.onsuccess = () => done(request.result);
      request.onerror = () => fail(request.error);
    });
    for (const { name } of await indexedDB.databases()) {
      const database = await answered(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const open = database.transaction(store).objectStore(store);
        const [keys, values] = await Promise.all([answered(open.getAllKeys()), answered(open.getAll())]);
        await walk(`indexedDB/${name}/${store}/keys`, keys);
        for (const [n, key] of keys.entries()) await walk(`indexedDB/${name}/${store}/${key}`, values[n]);
      }
      database.close();
    }
    for (const [name, store] of Object.entries({ localStorage, sessionStorage })) for (const key of Object.keys(store)) await walk(`${name}/${key}`, store.getItem(key));
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const answer = await cache.match(request);
        await walk(`caches/${name}/${new URL(request.url).pathname}`, { url: request.url, headers: [...answer.headers].join("\n"), body: await answer.arrayBuffer() });
      }
    }
    await walk("cookies", document.cookie);
    await walk("address", location.href);
    await walk("history", history.state);
    return found;
  });
}

/** What the storage gives under each of these PINs, by the app's own modules and with the keys in it: `{ name, bytes }` or `{ name, digits }`. */
export function computed(page, pins) {
  return page.evaluate(async (pins) => {
    const { bytes, fromHex, hex, hmac, hmacKey } = await import("/assets/js/crypto/bytes.js");
    const { masked, stretch } = await import("/assets/js/crypto/mask.js");
    const { code, stepAt } = await import("/assets/js/crypto/ocra.js");
    const { Kept } = await import("/assets/js/kept.js");
    const kept = new Kept();
    await kept.read();
    const { secret, salt, cards, offsetMs, activated } = kept.state;
    const all = [];
    for (const pin of pins) {
      const put = (name, data) => all.push({ name: `${name} of ${pin}`, bytes: hex(data) });
      const stretched = await stretch(pin, salt);
      const made = { stretched, pin: bytes(pin), salted: bytes(salt, pin), behind: bytes(pin, salt), picture: bytes("picture", stretched) };
      put("stretched PIN", stretched);
      put("picture", await hmac(await hmacKey(stretched), bytes("picture")));
      for (const { reference, masked: under, told } of cards) {
        const seed = await masked(secret, reference, stretched, under);
        const mask = seed.map((byte, at) => byte ^ under[at]);
        put("seed", seed);
        put("mask", mask);
        Object.assign(made, { [`seed of ${reference}`]: seed, [`mask of ${reference}`]: mask, [`named ${reference}`]: bytes(fromHex(reference), stretched) });
        const now = stepAt(Date.now() + offsetMs);
        for (let step = now - 3; step <= now + 1; step += 1) {
          for (const purpose of ["first", "second", "control"]) {
            for (let ceiling = 0; ceiling <= (purpose === "control" ? 0 : told.ceilings.length); ceiling += 1) {
              all.push({ name: `code of ${pin}`, digits: await code(await hmacKey(seed), told.digits, purpose, ceiling, step) });
            }
          }
        }
      }
      const device = fromHex(activated.device);
      for (const [name, data] of Object.entries(made)) {
        for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) put(`${hash} of ${name}`, new Uint8Array(await crypto.subtle.digest(hash, data)));
        put(`device's MAC of ${name}`, await hmac(secret, data));
        put(`MAC by ${name} of the device`, await hmac(await hmacKey(data), device));
        put(`MAC by ${name} of the salt`, await hmac(await hmacKey(data), salt));
      }
    }
    return all;
  }, pins);
}

/** Fewer bytes of a value would be found by chance. */
const PIECE = 6;

/** Where in the image one of these stands, in whatever form. A value counts as found by its first bytes. */
export function traces(entries, secrets) {
  const latin = (text) => text.normalize("NFKC").replace(/[۰-۹٠-٩]/g, (c) => String(c.charCodeAt(0) & 15));
  const texts = entries.map(({ at, text, bytes }) => {
    if (text !== undefined) return { at, text: latin(text), bytes: Buffer.from(text).toString("hex") + "/" + Buffer.from(text, "latin1").toString("hex") };
    if (bytes === undefined) return { at, text: "", bytes: "" };
    const data = Buffer.from(bytes, "hex");
    return { at, text: `${latin(data.toString("utf8"))}\n${data.toString("utf16le")}`, bytes };
  });
  const found = [];
  for (const { name, bytes, digits, part } of secrets) {
    if (digits !== undefined) {
      const pattern = part ? new RegExp(digits) : new RegExp(`(?<!\\d)${digits}(?!\\d)`);
      for (const { at, text } of texts) if (pattern.test(text)) found.push(`${name} at ${at}`);
      continue;
    }
    const piece = bytes.slice(0, 2 * PIECE);
    const base64 = Buffer.from(piece, "hex").toString("base64");
    const forms = [piece, piece.toUpperCase(), base64, base64.replaceAll("+", "-").replaceAll("/", "_")];
    for (const { at, text, bytes: raw } of texts) {
      const isThere = forms.some((form) => text.includes(form)) || aligned(raw, piece);
      if (isThere) found.push(`${name} at ${at}`);
    }
  }
  return found;
}

/** Whether hexadecimal digits stand in others on a whole byte. */
function aligned(all, piece) {
  for (let at = all.indexOf(piece); at >= 0; at = all.indexOf(piece, at + 1)) if (at % 2 === 0 || all.lastIndexOf("/", at) % 2 === 0) return true;
  return false;
}
