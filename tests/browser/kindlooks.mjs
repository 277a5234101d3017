// Pictures of what only some kinds of payment have, as in looks.mjs: the shop's services, the page of each kind, its end.

import { schemes, shoot, themes } from "./looks.mjs";
import { Payer } from "./payer.mjs";

const KINDS = {
  transfer: { amount: 2_345_000 },
  named: { amount: 1_000_000, kind: "transfer" },
  bill: { amount: 1_150_000, bill: { bill: "4012735804122", payment: "115050402" } },
  top_up: { amount: 200_000, top_up: { phone: "09351234567", operator: "irancell" } },
  balance: { amount: 0 },
};

async function walk(desk, lab, lang, from, to) {
  const page = await desk.window();
  const see = (screen) => themes(page, (theme) => shoot(desk, page, `${screen}-${lang}-${theme}`), schemes(lang));
  await page.goto(`${lab.shop}/services?lang=${lang}`);
  await see("services");
  desk.expect("400");
  await page.locator("#bill-id").fill("4012735804122");
  await page.locator("#payment-id").fill("115050403");
  await page.locator("#bill > form button").click();
  // The press leads to a new document: its styles are waited for too.
  await page.locator("#bill .wrong").waitFor();
  await page.waitForLoadState();
  await see("services-wrong");
  for (const [what, { amount, ...rest }] of Object.entries(KINDS)) {
    const about = { kind: what, ...rest, ...(what === "named" ? { kind: "transfer", payee_pan: to.pan } : {}) };
    const payer = await Payer.at(page, lab, amount, lang, about);
    if (what === "transfer") {
      await see("kind-transfer-empty");
      await payer.get("to-pan").fill(to.pan);
    }
    await payer.typeCard(from);
    const pin = await payer.pin(from);
    await payer.get("pin").fill(pin);
    await see(`kind-${what}-asked`);
    await payer.pay(pin);
    await payer.receipt();
    if (what !== "balance") await payer.get("stay").click();
    await see(`kind-${what}-paid`);
  }
  // What the lab's trace says of the last: a transfer's 0200 and a balance's answer, opened.
  const portal = await desk.window();
  await portal.goto(`${lab.portal}/?lang=${lang}`);
  await portal.locator("#rows li:visible").first().waitFor();
  await portal.locator("#trace-grow").click();
  for (const [what, filter, title] of [["balance", "0210 balance", "0210"], ["transfer", `${to.pan.slice(0, 6)}****${to.pan.slice(-4)}`, "0200"]]) {
    await portal.locator("#trace-filter").fill(filter);
    const row = portal.locator("#rows li:visible", { hasText: title }).last();
    await row.locator("summary").click();
    await row.locator("dd small").first().waitFor();
    await row.locator("dl").evaluate((fields) => fields.scrollIntoView({ block: "end" }));
    await themes(portal, (theme) => desk.keep(portal, `trace-${what}-${lang}-${theme}-desk`), schemes(lang));
  }
}

export const tests = {
  "every kind in Persian, light and dark": (desk, lab) => walk(desk, lab, "fa", lab.card("mellat", 1), lab.card("melli", 3)),
  "every kind in English": (desk, lab) => walk(desk, lab, "en", lab.card("melli", 1), lab.card("mellat", 2)),
};
