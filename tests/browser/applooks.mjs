// Every screen of the app as a picture, in both languages, light and dark, on a phone, a narrow one and a desk; and what axe-core has to say
// of each: nothing serious.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { shoot } from "./looks.mjs";
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

/** One language and one theme: from the first screen to the last. */
async function walk(desk, lab, lang, dark, card) {
  const app = await App.of(desk, lab, card, { lang, dark });
  const { page } = app;
  const look = async (screen) => {
    const name = `app-${screen}-${lang}-${dark ? "dark" : "light"}`;
    await sound(desk, page, name);
    await shoot(desk, page, name);
  };
  await look("activate");
  await app.get("button[type=submit]").click();
  await look("activate-incomplete");
  await app.activate(await app.halves());
  await look("pin");
  await app.typePin("123456");
  await look("pin-easy");
  await app.typePin(APP_PIN);
  await app.typePin(APP_PIN);
  await app.get(".remember .picture").waitFor();
  await look("picture");
  await app.get("main .act").click();
  await app.screen("card");
  await look("card");
  await app.addCard();
  await look("codes");
  await app.get('.slots [data-choice="first"]').click();
  await look("first-off");
  await app.lock();
  await look("unlock");
  await app.unlock(otherThan(APP_PIN));
  await look("question");
  await page.clock.setSystemTime((await lab.now()) + 7 * 60_000);
  await page.reload();
  await app.unlock();
  await app.get('[data-notice="clock"]').waitFor();
  await app.get(".question .yes").click();
  await look("clock-off");
}

export const tests = {
  async "pictures of the app in Persian, light, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "fa", false, lab.card(lab.known.banks[0].id, 1));
  },

  async "pictures of the app in English, dark, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "en", true, lab.card(lab.known.banks[0].id, 3));
  },

  async "pictures of the app in Persian, dark, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "fa", true, lab.card(lab.known.banks[1].id, 1));
  },

  async "pictures of the app in English, light, and nothing serious for axe"(desk, lab) {
    await walk(desk, lab, "en", false, lab.card(lab.known.banks[1].id, 3));
  },
};
