// The settings and what lies behind them, to be fetched as one.

export { backup, lost } from "./advice.js";
export { cardcare } from "./cardcare.js";
export { changepin } from "./changepin.js";
export { devices } from "./devices.js";
export { erase } from "./erase.js";
export { refusals } from "./refusals.js";
export { settings } from "./settings.js";
