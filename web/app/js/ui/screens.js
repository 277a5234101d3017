// Every screen by its name.

import { activate } from "./activate.js";
import { card } from "./card.js";
import { codes } from "./codes.js";
import { install } from "./install.js";
import { pin } from "./pin.js";
import { revoked } from "./revoked.js";
import { unlock } from "./unlock.js";

export const SCREENS = { install, activate, pin, card, unlock, codes, revoked };
