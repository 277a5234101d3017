// Every screen of the app as a picture, in both languages, light and dark, on a phone and a desk; and what axe-core has to say of each:
// nothing serious.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { shoot, themes } from "./looks.mjs";
import { otherThan } from "./payer.mjs";
import { APP_PIN, App } from "./ramznegar.mjs";

const axe = await readFile(createRequire(join(process.env.BROWSER_TOOLS, "x.js")).resolve("axe-core/axe.min.js"), "utf8");

/** What is serious or worse for whoever does not see, hear or hold as most do (WCAG 2.2 A and AA, and good practice). */
export async function sound(desk, page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(" ")).slice(0, 4).join(" · ")}`);
  });
  desk.problems.push(...found.map((flaw) => `${name}: ${flaw}`));
}

/** A screen in both themes: its pictures, and what axe finds. */
export async function look(desk, page, screen, lang) {
  await themes(page, async (theme) => {
    const name = `${screen}-${lang}-${theme}`;
    await sound(desk, page, name);
    await shoot(desk, page, name);
  });
}

/** One language: from the first screen to the last. */
async function walk(desk, lab, lang, card) {
  const app = await App.of(desk, lab, card, { lang });
  const { page } = app;
  const see = (screen) => look(desk, page, `app-${screen}`, lang);
  await see("activate");
  await app.get("button[type=submit]").click();
  await see("activate-incomplete");
  await app.activate(await app.halves());
  await see("pin");
  await app.typePin("123456");
  await see("pin-easy");
  await app.typePin(APP_PIN);
  await app.typePin(APP_PIN);
  await app.get(".remember .picture").waitFor();
  await see("picture");
  await app.get("main .act").click();
  await app.screen("card");
  await see("card");
  await app.addCard();
  await see("codes");
  await app.get('.slots [data-choice="first"]').click();
  await see("first-off");
  await app.lock();
  await see("unlock");
  await app.unlock(otherThan(APP_PIN));
  await see("question");
  await page.clock.setSystemTime((await lab.now()) + 7 * 60_000);
  await page.reload();
  await app.unlock();
  await app.get('[data-notice="clock"]').waitFor();
  await app.get(".question .yes").click();
  await see("clock-off");
}

export const tests = {
  async "pictures of the app in Persian, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "fa", lab.card(lab.known.banks[0].id, 1));
  },

  async "pictures of the app in English, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "en", lab.card(lab.known.banks[1].id, 3));
  },
};
