// Node 18, which Debian 12 has, keeps WebCrypto in a module only.

import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
