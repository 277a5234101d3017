// Whoever asks for a PIN learns nothing about the card: one sentence for all of them.

import assert from "node:assert/strict";

import { Payer, withCheckDigit } from "./payer.mjs";

/** What the page shows and the gateway answers after asking for this card. */
async function askedFor(desk, lab, card, lang) {
  const payer = await Payer.of(desk, lab, 130_000, { lang });
  await payer.typeCard(card);
  const answered = payer.page.waitForResponse((response) => response.url().endsWith("/pin"));
  await payer.ask();
  const response = await answered;
  const shown = await payer.page.evaluate(() => ({
    note: document.getElementById("pin-note").textContent,
    problem: document.getElementById("problem").hidden,
    waits: document.getElementById("request-pin").disabled,
    focus: document.activeElement.id,
  }));
  const body = await response.json();
  return { ...shown, status: response.status(), keys: Object.keys(body).sort(), wait: body.ask_again_after_s, left: body.asks_left };
}

export const tests = {
  async "a locked card, one without a phone and one that does not exist get the sentence of every other"(desk, lab) {
    const [good, phoneless, locked] = [1, 4, 5].map((n) => lab.card("mellat", n));
    assert.deepEqual([phoneless.state, phoneless.phone, locked.state], ["no phone", null, "locked"]);
    const unknown = { ...good, pan: withCheckDigit("610433700000999"), phone: null };
    for (const lang of ["fa", "en"]) {
      const silent = [];
      for (const card of [phoneless, locked, unknown]) silent.push(await askedFor(desk, lab, card, lang));
      // Asked last: when its SMS is there, the others' work was begun long before.
      let spoken;
      const sms = await lab.smsDuring(good, async () => (spoken = await askedFor(desk, lab, { ...good, pan: good.pan }, lang)));
      assert.ok(sms.code);
      assert.equal(spoken.status, 202);
      assert.match(spoken.note, lang === "fa" ? /اگر شماره موبایل شما نزد بانک ثبت شده باشد/ : /^If your mobile number is registered/);
      for (const other of silent) assert.deepEqual(other, spoken);
      assert.deepEqual(await lab.messages(locked.phone), [], "an SMS came for a locked card");
      // Its PIN would be sent again rather than anew if it were asked for in the other language now.
      await lab.advance(121);
    }
  },
};
