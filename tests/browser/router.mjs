// A router of a test's own, beside the lab's: the same settings, but one bank is reached through a proxy that can be cut off.

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import https from "node:https";
import net from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { randomUUID } from "node:crypto";

const listening = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

async function freePort() {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
}

/** Carries connections to the bank, or closes each at once. */
class Proxy {
  static async before(port) {
    const proxy = Object.assign(new Proxy(), { cut: false, open: new Set() });
    proxy.server = net.createServer((near) => {
      near.on("error", () => {});
      if (proxy.cut) return near.destroy();
      const far = net.connect(port, "127.0.0.1");
      far.on("error", () => near.destroy());
      for (const socket of [near, far]) {
        proxy.open.add(socket);
        socket.on("close", () => proxy.open.delete(socket));
      }
      near.pipe(far).pipe(near);
    });
    proxy.port = await listening(proxy.server);
    return proxy;
  }

  /** From now on; connections that are open are cut too. */
  is(cut) {
    this.cut = cut;
    if (cut) for (const socket of this.open) socket.destroy();
  }

  close() {
    this.is(true);
    this.server.close();
  }
}

export class Router {
  /** Starts one whose way to this bank leads through the proxy. */
  static async beside(lab, bank) {
    const folder = dirname(lab.known.tls.ca);
    const port = (url) => new URL(url).port;
    const proxy = await Proxy.before(Number(port(lab.bank(bank).api)));
    const ports = { api: await freePort(), directory: await freePort(), metrics: await freePort() };
    const settings = await readFile(join(folder, "router.toml"), "utf8");
    const own = settings
      .replace(/^(api|directory|metrics) = "[^"]*"$/gm, (_, name) => `${name} = "127.0.0.1:${ports[name]}"`)
      .replace(`localhost:${port(lab.bank(bank).api)}`, `localhost:${proxy.port}`);
    const file = join(folder, `router-${ports.api}.toml`);
    await writeFile(file, own);
    const child = spawn(process.env.RAMZ, ["router", "--config", file], { stdio: ["ignore", "pipe", "ignore"] });
    const router = Object.assign(new Router(), { lab, proxy, child, ports, directory: `http://localhost:${ports.directory}` });
    const [line] = await Promise.race([
      (async () => [(await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()).value])(),
      new Promise((_, give) => child.once("exit", (code) => give(new Error(`the router ended: ${code}`)))),
    ]);
    if (!line?.startsWith("router ready")) throw new Error(`the router said: ${line}`);
    return router;
  }

  /** Asks for a PIN of a card; the status of the answer. */
  async ask({ pan }) {
    const { tls, asker } = this.lab.known;
    const { acquirer, merchant, terminal, merchant_name: name, origin } = asker;
    const body = JSON.stringify({ pan, payment: { kind: "purchase", amount: 770_000, payee: { acquirer, merchant, terminal, name }, origin } });
    const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map((path) => readFile(path)));
    const headers = { "content-type": "application/json", "idempotency-key": randomUUID(), "content-length": Buffer.byteLength(body) };
    return new Promise((done, give) => {
      const request = https.request({ host: "localhost", port: this.ports.api, method: "POST", path: "/v1/pin-requests", headers, ca, cert, key }, (answer) => {
        answer.resume();
        answer.on("end", () => done(answer.statusCode));
      });
      request.on("error", give);
      request.end(body);
    });
  }

  async stop() {
    this.proxy.close();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill();
    await ended;
  }
}
