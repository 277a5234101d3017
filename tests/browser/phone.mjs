// What the app's modules do against a bank's real door, in a real browser, without the screens.

import assert from "node:assert/strict";

import { Holder } from "./holder.mjs";
import { Payer } from "./payer.mjs";

const PIN = "271828";
const OTHER = "314159";

export const tests = {
  async "from the receipt to a code that pays"(desk, lab) {
    const card = lab.card(lab.known.banks[1].id, 1);
    const holder = await Holder.of(desk, lab, card);
    assert.equal(await holder.get("stage"), "new");
    const reference = await holder.begin(PIN);
    assert.equal(await holder.get("stage"), "ready");
    const [told] = await holder.get("cards");
    assert.equal(told.ending, card.pan.slice(-4));
    await holder.nextMinute();
    const at = await Payer.of(desk, lab, 2_500_000);
    await at.typeCard(card);
    await at.pay(await holder.code(reference));
    await at.receipt();
    assert.equal((await at.state()).state, "paid");
  },
};
