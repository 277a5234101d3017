// Both halves of the code: one from the terminal's receipt, one from the SMS, which the browser fills in where it can (WebOTP, or the
// keyboard's offer of a one-time code).

import { digitsOf } from "../digits.js";
import { say } from "../words/words.js";
import { digitField } from "./form.js";
import { icon } from "./icons.js";
import { el } from "./node.js";
import { troublePlace } from "./trouble.js";

const DIGITS = 8;

/** @param {import("./shell.js").Shell} shell @returns {import("./shell.js").Shown} */
export function activate(shell) {
  const receipt = digitField({ id: "receipt", label: say("receiptCode"), max: DIGITS, first: true, hint: "0000 0000" });
  const sms = digitField({ id: "sms", label: say("smsCode"), max: DIGITS, autocomplete: "one-time-code", hint: "0000 0000" });
  const trouble = troublePlace();
  const button = el("button", { type: "submit", class: "act wide" }, say("activate"));
  const stop = new AbortController();
  fillFromSms(stop.signal, (code) => {
    sms.digits = code;
    sms.good(say("smsFilled"));
  });

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    trouble.clear();
    const short = [receipt, sms].filter((field) => field.digits.length !== DIGITS);
    short.forEach((field) => field.wrong(say("eightDigits")));
    if (short.length > 0) return short[0]?.input.focus();
    button.disabled = true;
    try {
      await shell.phone.activate({ receipt: receipt.digits, sms: sms.digits, name: deviceName() });
      shell.replace("pin");
    } catch (error) {
      trouble.show(error);
      button.disabled = false;
    }
  }

  return {
    node: el("form", { class: "sheet", novalidate: true, onsubmit: send },
      el("h1", {}, say("activateTitle")),
      el("p", {}, say("activateWhy")),
      el("p", { class: "caution" }, icon("shield"), say("activateWarning")),
      receipt.node, sms.node, trouble.node, button),
    leave: () => stop.abort(),
  };
}

/** @param {AbortSignal} signal @param {(code: string) => void} fill */
async function fillFromSms(signal, fill) {
  if (!("OTPCredential" in globalThis)) return;
  try {
    const options = /** @type {CredentialRequestOptions} */ ({ signal, otp: { transport: ["sms"] } });
    const found = /** @type {{ code?: string } | null} */ (/** @type {unknown} */ (await navigator.credentials.get(options)));
    const code = digitsOf(found?.code ?? "");
    if (code.length === DIGITS) fill(code);
  } catch {
    // Then it is typed.
  }
}

/** What the bank lists this phone as; its holder may rename it. */
function deviceName() {
  const { userAgentData } = /** @type {Navigator & { userAgentData?: { platform: string } }} */ (navigator);
  const found = /iPhone|iPad|Android|Windows|Macintosh|Linux/.exec(navigator.userAgent)?.[0];
  return (userAgentData?.platform || found || say("app")).slice(0, 32);
}
