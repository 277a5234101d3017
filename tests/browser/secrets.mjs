// Last of all: what all the other tests typed is in no trace and in no log.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const tests = {
  async "no card number, no PIN and no CVV2 is in the trace or in the log"(_desk, lab) {
    const trace = JSON.stringify(lab.heard);
    const log = readFileSync(process.env.LAB_LOG, "utf8");
    const places = { trace, log };
    for (const [place, text] of Object.entries(places)) {
      for (const { pan, cvv2 } of lab.known.cards) {
        for (const digits of [pan, pan.slice(0, 15), pan.replace(/(.{4})(?=.)/g, "$1 ")]) assert.ok(!text.includes(digits), `a card number is in the ${place}`);
        assert.ok(!text.includes(`01003${cvv2}`), `a CVV2 is in the ${place}`);
      }
      for (const { bill } of lab.known.bills) assert.ok(!text.includes(bill), `a bill id is in the ${place}`);
      for (const pin of lab.pins) assert.doesNotMatch(text, new RegExp(`(?<!\\d)${pin}(?!\\d)`), `a PIN is in the ${place}`);
    }
    assert.ok(lab.pins.size > 0 && lab.heard.length > 0, "nothing was done before: this test held nothing");
    const phones = new Set(lab.known.cards.map(({ phone }) => phone).filter(Boolean));
    for (const phone of phones) assert.ok(!log.includes(phone.slice(1)), "a phone number is in the log");
  },
};
