// The page for a keyboard, for autofill and for a screen reader, and what it lets in.

import assert from "node:assert/strict";

import { Payer } from "./payer.mjs";

export const tests = {
  async "fields say what they are to keyboards and to autofill"(desk, lab) {
    for (const [lang, dir] of [["fa", "rtl"], ["en", "ltr"]]) {
      const payer = await Payer.of(desk, lab, 220_000, { lang });
      const html = payer.page.locator("html");
      assert.deepEqual([await html.getAttribute("lang"), await html.getAttribute("dir")], [lang, dir]);
      assert.equal(await payer.get("pin").getAttribute("autocomplete"), "one-time-code");
      const fields = await payer.page.evaluate(() =>
        [...document.querySelectorAll("form input")].map(({ id, inputMode, dir, labels, ariaLabel }) => ({ id, inputMode, dir, named: Boolean(ariaLabel || labels[0]?.textContent.trim()) })),
      );
      assert.deepEqual(fields.map(({ id }) => id), ["pan", "expiry-month", "expiry-year", "cvv2", "pin"]);
      for (const field of fields) assert.deepEqual([field.inputMode, field.dir, field.named], ["numeric", "ltr", true], field.id);
      const buttons = await payer.page.evaluate(() => [...document.querySelectorAll("button")].map(({ textContent }) => textContent.trim().length > 0));
      assert.ok(buttons.every(Boolean));
    }
  },

  async "a transfer's destination is a field like the card's, and what it leads to is said"(desk, lab) {
    for (const lang of ["fa", "en"]) {
      const payer = await Payer.of(desk, lab, 225_000, { lang, about: { kind: "transfer" } });
      const fields = await payer.page.evaluate(() =>
        [...document.querySelectorAll("form input")].map(({ id, inputMode, dir, labels, ariaLabel, autocomplete }) => ({ id, inputMode, dir, autocomplete, named: Boolean(ariaLabel || labels[0]?.textContent.trim()) })),
      );
      assert.deepEqual(fields.map(({ id }) => id), ["to-pan", "pan", "expiry-month", "expiry-year", "cvv2", "pin"]);
      for (const field of fields) assert.deepEqual([field.inputMode, field.dir, field.named], ["numeric", "ltr", true], field.id);
      assert.equal(fields[0].autocomplete, "off", "the payer's own card is not offered as the destination");
      for (const id of ["to-note", "to-bank"]) assert.equal(await payer.get(id).getAttribute("role"), "status");
      await payer.get("to-pan").pressSequentially(lab.card("melli", 1).pan);
      assert.equal(await payer.page.evaluate(() => document.activeElement.id), "pan", "the caret goes on by itself");
    }
  },

  async "everything can be done with the keyboard alone, from card to receipt"(desk, lab) {
    const card = lab.card("melli", 3);
    const payer = await Payer.of(desk, lab, 230_000, { lang: "en" });
    const { keyboard } = payer.page;
    const at = () => payer.page.evaluate(() => document.activeElement.id);
    await payer.page.locator("body").press("Tab");
    const path = [await at()];
    while (path.at(-1) !== "cancel") {
      await keyboard.press("Tab");
      path.push(await at());
      assert.ok(path.length < 20, `the caret goes around: ${path}`);
    }
    assert.deepEqual(path, ["lang", "pan", "expiry-month", "expiry-year", "cvv2", "pin", "pay", "cancel"], "no card yet, so no PIN button");
    await payer.get("pan").focus();
    await keyboard.type(card.pan + card.expiry.slice(2) + card.expiry.slice(0, 2) + card.cvv2);
    assert.equal(await at(), "cvv2");
    await keyboard.press("Tab");
    await keyboard.press("Tab");
    assert.equal(await at(), "request-pin");
    const outline = await payer.get("request-pin").evaluate((button) => getComputedStyle(button).outlineStyle);
    assert.equal(outline, "solid", "the focus is seen");
    const { code } = await lab.smsDuring(card, () => keyboard.press("Enter"));
    await payer.get("countdown").waitFor();
    assert.equal(await at(), "pin");
    await keyboard.type(code);
    await keyboard.press("Enter");
    await payer.receipt();
    assert.equal(await at(), "result-title", "the outcome is read out");
    await keyboard.press("Tab");
    assert.equal(await at(), "back");
  },

  async "what happens is announced"(desk, lab) {
    const payer = await Payer.of(desk, lab, 240_000, { lang: "en" });
    const roles = await payer.page.evaluate(() =>
      Object.fromEntries(["bank-name", "pin-note", "countdown", "countdown-said", "problem"].map((id) => [id, document.getElementById(id).getAttribute("role")])),
    );
    assert.deepEqual(roles, { "bank-name": "status", "pin-note": "status", countdown: "timer", "countdown-said": "status", problem: "alert" });
    assert.equal(await payer.get("result").getAttribute("aria-live"), "polite");
  },

  async "no document runs anything inline or takes anything from elsewhere"(desk, lab) {
    const { page: pay } = await lab.open(250_000);
    for (const url of [lab.portal, `${lab.portal}/atm`, ...lab.known.banks.map(({ app }) => app), lab.shop, `${lab.shop}/paid?payment=x`, pay, `${pay}?lang=en`, `${lab.gateway}/pay/${"0".repeat(32)}`]) {
      const answer = await fetch(url);
      const html = await answer.text();
      const where = new URL(url).pathname;
      const policy = answer.headers.get("content-security-policy") ?? "";
      assert.match(policy, /default-src 'none'/, where);
      assert.doesNotMatch(policy, /unsafe-|\*/, where);
      assert.match(policy, /base-uri 'none'/, where);
      assert.match(policy, /frame-ancestors/, where);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff", where);
      assert.equal(answer.headers.get("referrer-policy"), "no-referrer", where);
      for (const [script] of html.matchAll(/<script\b[^>]*>/gi)) assert.match(script, /\ssrc="\/assets\//, `${where}: ${script}`);
      assert.doesNotMatch(html, /<style\b|\sstyle=|\son\w+=|javascript:/i, where);
      for (const [, link] of html.matchAll(/<(?:script|link|img|use|iframe)\b[^>]*?(?:src|href)="([^"]*)"/gi)) assert.match(link, /^\//, where);
    }
    const framed = (await fetch(pay)).headers.get("content-security-policy").match(/frame-ancestors ([^;]*)/)[1];
    assert.equal(framed, lab.portal, "the payment page is in nobody's frame but the lab's own");
    const app = (await fetch(lab.known.banks[0].app)).headers.get("content-security-policy");
    assert.match(app, new RegExp(`frame-ancestors ${lab.portal}$`), "and so is the app");
    assert.match(app, /require-trusted-types-for 'script'; trusted-types worker;/);
  },

  async "the page keeps four digits and a moment, and no cookie that a script can read"(desk, lab) {
    const card = lab.card("mellat", 1);
    const payer = await Payer.of(desk, lab, 260_000, { lang: "en" });
    await payer.typeCard(card);
    const pin = await payer.pin(card);
    await payer.get("pin").fill(pin);
    const kept = await payer.page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie]));
    assert.ok(kept.includes(card.pan.slice(-4)));
    for (const secret of [card.pan, card.pan.slice(0, 6), pin]) assert.ok(!kept.includes(secret), kept);
    assert.equal(JSON.parse(kept)[2], "");
    assert.ok(!payer.page.url().includes(card.pan.slice(-4)));
    await payer.pay(pin);
    await payer.receipt();
    assert.equal(await payer.page.evaluate(() => sessionStorage.length), 0, "it forgets when it is over");
  },
};
