// The worker that keeps the app on the phone: it starts without a network, one version is kept whole, a new one waits its turn,
// and nothing of the bank's answers is kept. Where a later release is needed, something stands before the door that changes a file.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";

import { until } from "./lab.mjs";

const MAIN = "/assets/js/main.js";
const BARE = "/bare";
const POLICY = "default-src 'none'; connect-src 'self'; worker-src 'self'; require-trusted-types-for 'script'; trusted-types worker";

/** The app's door with another release behind it, once one is made. */
class Release {
  static async of(door) {
    const release = Object.assign(new Release(), { door, changed: new Map(), told: new Map() });
    release.server = createServer((request, answer) => release.answer(request, answer).catch(() => answer.destroy()));
    await new Promise((listening) => release.server.listen(0, "127.0.0.1", listening));
    release.url = `http://localhost:${release.server.address().port}`;
    return release;
  }

  async answer({ url }, answer) {
    // A page of the origin that runs nothing: the app's own would decide when to take a new version.
    if (url === BARE) return answer.writeHead(200, { "content-type": "text/html", "content-security-policy": POLICY }).end("<title>bare</title>");
    const given = await fetch(this.door + url);
    const headers = { "content-type": given.headers.get("content-type"), "content-security-policy": given.headers.get("content-security-policy") ?? "", "cache-control": "no-cache" };
    let body = this.changed.get(url) ?? Buffer.from(await given.arrayBuffer());
    if (url === "/sw.js") body = this.retold(String(body));
    answer.writeHead(given.status, headers).end(body);
  }

  /** The worker's script with the hashes, and so the version, of what was changed. */
  retold(script) {
    const list = /^const FILES = (.*);$/m.exec(script)[1];
    const files = { ...JSON.parse(list), ...Object.fromEntries(this.told) };
    const version = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
    return script.replace(/^const VERSION = .*$/m, `const VERSION = "${version}";`).replace(list, () => JSON.stringify(files));
  }

  /** From now on a file is another. `honest`: and the worker is told so. */
  change(path, text, { honest = true } = {}) {
    this.changed.set(path, text);
    this.told.set(path, `sha256-${createHash("sha256").update(honest ? text : `${text}, or so`).digest("base64")}`);
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Registers the worker from a page that does not, and waits until it has kept everything. */
const register = (page) => page.evaluate(async () => {
  const policy = trustedTypes.createPolicy("worker", { createScriptURL: (url) => url });
  await navigator.serviceWorker.register(policy.createScriptURL("/sw.js"));
  await navigator.serviceWorker.ready;
});

const text = (page, path = MAIN) => page.evaluate(async (path) => (await fetch(path)).text(), path);
const versions = (page) => page.evaluate(() => caches.keys());

/** Looks for a new version: how far it got. */
const update = (page) => page.evaluate(async () => {
  const registration = await navigator.serviceWorker.ready;
  const found = new Promise((done) => registration.addEventListener("updatefound", () => done(registration.installing)));
  await registration.update();
  const worker = await found;
  while (!["installed", "redundant"].includes(worker.state)) await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
  return worker.state;
});

/** A window whose page the kept app answers for. */
async function kept(desk, release) {
  const page = await desk.window();
  await page.goto(release.url + BARE);
  await register(page);
  await page.reload();
  assert.ok(await page.evaluate(() => navigator.serviceWorker.controller !== null), "the worker answers");
  return page;
}

async function withRelease(lab, test) {
  const release = await Release.of(lab.known.banks[0].app);
  try {
    await test(release);
  } finally {
    release.close();
  }
}

export const tests = {
  async "after one visit the app starts without a network, and no answer of the bank is kept"(desk, lab) {
    desk.expect("ERR_INTERNET_DISCONNECTED", "Failed to fetch");
    const page = await desk.window();
    const { app } = lab.known.banks[0];
    await page.goto(app);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    const asked = await page.evaluate(async () => Promise.all(["/app/bank", "/app/time", "/v1/openapi.json"].map(async (path) => (await fetch(path)).status)));
    assert.deepEqual(asked, [200, 200, 200]);
    const online = await text(page, "/");
    await page.context().setOffline(true);
    await page.reload();
    assert.equal(await text(page, "/"), online);
    assert.ok((await page.title()).length > 0);
    for (const path of ["/app/bank", "/app/time", "/v1/openapi.json"]) {
      assert.equal(await page.evaluate((path) => fetch(path).then(() => "answered", () => "nothing"), path), "nothing", path);
    }
    const files = await page.evaluate(async () => {
      const [name, ...others] = await caches.keys();
      const cache = await caches.open(name);
      const answers = (await cache.keys()).map(async (request) => [new URL(request.url).pathname, (await cache.match(request)).type]);
      return { others, answers: await Promise.all(answers) };
    });
    assert.deepEqual(files.others, []);
    for (const [path, type] of files.answers) {
      assert.ok(path === "/" || path === "/app.webmanifest" || path.startsWith("/assets/"), path);
      assert.equal(type, "basic", path);
    }
    // Opened anew, as from the home screen.
    await page.close();
    const again = await page.context().newPage();
    await again.goto(`${app}/?from=home`);
    assert.equal(await text(again, "/"), online);
  },

  async "a new version waits until no page of the old one is open, and then it is there whole"(desk, lab) {
    await withRelease(lab, async (release) => {
      const page = await kept(desk, release);
      const [old, before] = [await text(page), await versions(page)];
      release.change(MAIN, `${old}\n// later`);
      assert.equal(await update(page), "installed");
      const beside = await page.context().newPage();
      await beside.goto(release.url + BARE);
      for (const open of [page, beside]) assert.equal(await text(open), old, "not under an open page");
      const context = page.context();
      await Promise.all([page.close(), beside.close()]);
      const last = await until("the new version", async () => {
        const next = await context.newPage();
        await next.goto(release.url + BARE);
        if ((await text(next)).endsWith("// later")) return next;
        await next.close();
      });
      const now = await versions(last);
      assert.deepEqual([now.length, now.includes(before[0])], [1, false], "the old one is forgotten");
    });
  },

  async "a file that is not of its version is not kept, and the version before goes on"(desk, lab) {
    desk.expect("integrity", "Failed to fetch", "SRI");
    await withRelease(lab, async (release) => {
      const page = await kept(desk, release);
      const [old, before] = [await text(page), await versions(page)];
      release.change(MAIN, "// of another node", { honest: false });
      assert.equal(await update(page), "redundant");
      assert.deepEqual([await text(page), await versions(page)], [old, before]);
    });
  },
};
