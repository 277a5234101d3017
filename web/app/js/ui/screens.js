// Every screen by its name. The settings and what lies behind them are fetched when they are first wanted: a first visit wants none of
// them, and on a slow network each of its bytes is waited for.

import { activate } from "./activate.js";
import { card } from "./card.js";
import { codes } from "./codes.js";
import { install } from "./install.js";
import { late } from "./late.js";
import { pin } from "./pin.js";
import { revoked } from "./revoked.js";
import { unlock } from "./unlock.js";

const FIRST = { install, activate, pin, late, card, unlock, codes, revoked };

/** @typedef {keyof typeof FIRST | keyof typeof import("./care.js")} Screen */

/** What draws a screen. @param {Screen} name @returns {Promise<(shell: import("./shell.js").Shell, args?: any) => import("./shell.js").Shown>} */
export async function drawing(name) {
  return name in FIRST ? FIRST[/** @type {keyof typeof FIRST} */ (name)] : (await import("./care.js"))[/** @type {keyof typeof import("./care.js")} */ (name)];
}
