// Every screen by its name.

import { activate } from "./activate.js";
import { backup, lost } from "./advice.js";
import { card } from "./card.js";
import { cardcare } from "./cardcare.js";
import { changepin } from "./changepin.js";
import { codes } from "./codes.js";
import { devices } from "./devices.js";
import { erase } from "./erase.js";
import { install } from "./install.js";
import { pin } from "./pin.js";
import { refusals } from "./refusals.js";
import { revoked } from "./revoked.js";
import { settings } from "./settings.js";
import { unlock } from "./unlock.js";

export const SCREENS = {
  install, activate, pin, card, unlock, codes, revoked,
  settings, cardcare, changepin, devices, refusals, lost, backup, erase,
};
