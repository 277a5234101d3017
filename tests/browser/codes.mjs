// The page's own modules over every case that tests/web has: another engine than Node's, the same codes and masks.

import assert from "node:assert/strict";

import { wrongOnes, wrongPublished } from "../web/codes.mjs";
import { wrongMasks } from "../web/masks.mjs";
import { codes, masks } from "../web/vectors.mjs";
import { Holder } from "./holder.mjs";

export const tests = {
  async "a thousand codes, all that the RFCs publish, and the masks are those of other code"(desk, lab) {
    const { page } = await Holder.of(desk, lab, lab.card(lab.known.banks[1].id, 1));
    assert.deepEqual([codes.random.length, codes.published.length], [1000, 98]);
    assert.deepEqual(await page.evaluate(wrongOnes, ["/assets/js/", codes.random]), []);
    assert.deepEqual(await page.evaluate(wrongPublished, ["/assets/js/", codes.published]), []);
    assert.deepEqual(await page.evaluate(wrongMasks, ["/assets/js/", masks.cases]), []);
  },
};
