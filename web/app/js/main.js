// Starts: language, service worker, and the screen that fits what this phone is.

import { Phone } from "./phone.js";
import { Shell } from "./ui/shell.js";
import { dress } from "./words/words.js";

dress();
const shell = new Shell();
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  shell.installable(/** @type {import("./ui/shell.js").InstallEvent} */ (event));
});
if ("serviceWorker" in navigator) {
  // The one address that a script is ever loaded from by name.
  const { trustedTypes } = /** @type {{ trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): unknown } } }} */ (globalThis);
  const url = trustedTypes?.createPolicy("worker", { createScriptURL: () => "/sw.js" }).createScriptURL("") ?? "/sw.js";
  navigator.serviceWorker.register(/** @type {string} */ (url)).catch(() => {});
}
try {
  shell.start(await Phone.open());
} catch (error) {
  shell.cannotStart(error);
}
