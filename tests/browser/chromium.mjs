// Chromium, watched. Whatever a test does, no page may ask for anything outside this machine, complain in its console, run
// something inline or come without a content security policy.

import { createRequire } from "node:module";
import { join } from "node:path";

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 860 };

export class Chromium {
  static async start({ CHROMIUM, BROWSER_TOOLS, SHOTS }) {
    const { chromium } = createRequire(join(BROWSER_TOOLS, "x.js"))("playwright-core");
    const how = {
      executablePath: CHROMIUM,
      headless: true,
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
      ],
    };
    const browser = await chromium.launch(how);
    return Object.assign(new Chromium(), { browser, shots: SHOTS, inFolder: (folder, options) => chromium.launchPersistentContext(folder, { ...how, ...options }) });
  }

  desk(lab) {
    return new Desk(this, lab);
  }

  stop() {
    return this.browser.close();
  }
}

/** Where one test sits: its browser windows, and what went wrong in them unasked. */
class Desk {
  constructor(chromium, lab) {
    this.chromium = chromium;
    this.lab = lab;
    this.contexts = [];
    this.problems = [];
    this.works = [];
  }

  /** A window of a fresh profile: `viewport`, `dark` and whatever else the driver's contexts take. */
  async window({ viewport = DESKTOP, dark = false, profile = null, ...options } = {}) {
    const how = { viewport, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce", locale: "fa-IR", ...options };
    // A profile is a folder, which the browser writes to the disk as any browser would.
    const context = await (profile ? this.chromium.inFolder(profile, how) : this.chromium.browser.newContext(how));
    context.setDefaultTimeout(20_000);
    this.contexts.push(context);
    this.watch(context);
    return context.newPage();
  }

  watch(context) {
    const bad = (what) => this.problems.push(what);
    context.on("request", (request) => {
      const url = new URL(request.url());
      const local = ["data:", "blob:", "about:"].includes(url.protocol) || url.hostname === "localhost";
      if (!local) bad(`a request left the machine: ${url.origin}`);
    });
    context.on("response", (response) => {
      if (response.request().resourceType() !== "document" || response.status() < 200 || response.status() >= 300) return;
      const policy = response.headers()["content-security-policy"] ?? "";
      if (!policy.includes("default-src 'none'")) bad(`no policy at ${new URL(response.url()).pathname}: ${policy}`);
      if (/unsafe-(inline|eval)|\*/.test(policy)) bad(`a loose policy: ${policy}`);
    });
    context.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const what = `${message.type()} in the console: ${message.text()} (${message.location().url})`;
      if (!this.expected?.some((words) => what.includes(words))) bad(what);
    });
    context.on("weberror", (error) => bad(`an error in a page: ${error.error()}`));
    context.on("page", (page) => page.on("crash", () => bad("a page crashed")));
  }

  /** The console will say this, and rightly. */
  expect(...words) {
    this.expected = words;
  }

  /** Throws if anything went wrong unasked. */
  hold() {
    if (this.problems.length > 0) throw new Error([...new Set(this.problems)].join("\n"));
  }

  /** Keeps a page as a picture: long pages take a slow machine longer than anything that a test waits for. */
  async keep(page, name, options = {}) {
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join(this.chromium.shots, `${name}.png`), animations: "disabled", timeout: 60_000, ...options });
  }

  /** Keeps whatever is open, for whoever looks into a failure. */
  async picture(name) {
    for (const [i, page] of this.contexts.flatMap((context) => context.pages()).entries()) {
      await this.keep(page, `${name}-${i}`, { timeout: 5000 }).catch(() => {});
    }
  }

  /** To be done when the test is over, however it ended. */
  afterwards(work) {
    this.works.push(work);
  }

  async leave() {
    for (const work of this.works.reverse()) await work().catch(() => {});
    await Promise.all(this.contexts.map((context) => context.close().catch(() => {})));
  }
}
