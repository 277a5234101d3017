// Node 18, which Debian 12 has, keeps WebCrypto in a module only, and has no locks: nothing but these tests runs beside them.

import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
if (!globalThis.navigator?.locks) Object.defineProperty(globalThis, "navigator", { value: { locks: { request: (_name, _how, work) => work() } }, configurable: true });
