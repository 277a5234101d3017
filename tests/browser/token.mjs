// A phone that computes its PINs, as `ramz token` is one: from the ATM's receipt to a paid basket, and with a dynamic first PIN to cash
// and a purchase. Each code in a minute of its own, by the lab's clock.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { Payer } from "./payer.mjs";
import { Customer } from "./terminal.mjs";

const run = promisify(execFile);

/** A phone's store, and the commands over it. */
class Phone {
  static async of(lab, card) {
    const folder = await mkdtemp(join(tmpdir(), "phone-"));
    await writeFile(join(folder, "passphrase"), "open sesame\n");
    return Object.assign(new Phone(), { lab, card, folder });
  }

  /** `ramz token …`: what it prints. */
  async does(...words) {
    const with_ = ["token", "--store", join(this.folder, "token"), "--passphrase-file", join(this.folder, "passphrase")];
    return (await run(process.env.RAMZ, [...with_, ...words])).stdout;
  }

  /** A file that only this phone reads. */
  async file(name, content) {
    const path = join(this.folder, name);
    await writeFile(path, JSON.stringify(content));
    return path;
  }

  /** At the ATM, then with both halves; then the card. */
  async activate() {
    const { lab, card } = this;
    const { receipt, sms, address } = await lab.activation(card);
    assert.ok(address.startsWith(lab.bank(card.bank).app), "the receipt leads to the app");
    const codes = await this.file("codes", { receipt_code: receipt, sms_code: sms });
    await this.does("activate", "--bank", lab.bank(card.bank).app, "--name", "browser", "--codes-file", codes);
    await this.does("add", "--card-file", await this.file("card", { pan: card.pan, expiry: card.expiry }));
  }

  /** A code of a minute in which none was used. */
  async code(...words) {
    await this.lab.advance(60);
    await this.does("list");
    const { code } = JSON.parse(await this.does("code", "--json", ...words));
    this.lab.pins.add(code);
    return code;
  }

  /** The card is what it was. */
  async leave() {
    await this.lab.service(this.card, "931000");
    await this.lab.service(this.card, "920000");
  }
}

export const tests = {
  async "a phone computes the second PIN: one basket is paid, and above the code's ceiling none"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const phone = await Phone.of(lab, card);
    await phone.activate();
    const at = await Payer.of(desk, lab, 2_500_000);
    await at.typeCard(card);
    const code = await phone.code();
    await at.pay(code);
    await at.receipt();
    assert.equal((await at.state()).state, "paid");
    const again = await Payer.of(desk, lab, 2_500_000);
    await again.typeCard(card);
    assert.equal((await again.refused(code)).code, "55", "once");
    const told = await again.refused(await phone.code("--ceiling", "1000000"));
    assert.equal(told.code, "61");
    assert.match(told.text, /سقف این رمز پویا/);
    await phone.leave();
  },

  async "with a dynamic first PIN the phone's code brings cash and pays in the shop, and the static one does not"(desk, lab) {
    const card = lab.card(lab.known.banks[0].id, 1);
    const phone = await Phone.of(lab, card);
    await phone.activate();
    await lab.advance(60);
    await phone.does("list");
    await phone.does("first-pin", "on");
    const before = await lab.balance(card);
    const customer = await Customer.at(desk, lab, "atm");
    await customer.enter(card, await phone.code("--slot", "first"));
    await customer.option("برداشت وجه").click();
    await customer.screen("amount");
    await customer.page.locator("#options button").first().click();
    await customer.screen("done");
    const cash = before - (await lab.balance(card));
    assert.ok(cash > 0, "the cash was debited");
    const buyer = await Customer.at(desk, lab, "pos");
    await buyer.screen("sale");
    await buyer.type("90000");
    await buyer.screen("card");
    await buyer.insert(card);
    await buyer.type(card.static_first_pin);
    await buyer.page.locator("#screen-text", { hasText: "نادرست" }).or(buyer.page.locator("#screen-text", { hasText: "درست نیست" })).first().waitFor();
    await buyer.screen("pin");
    await buyer.type(await phone.code("--slot", "first"));
    await buyer.screen("done");
    assert.equal(before - (await lab.balance(card)), cash + 90_000);
    await phone.leave();
  },
};
