// The files that crates/domain/tests/app.rs writes: codes and masks that other code than the app's has computed.

import { readFileSync } from "node:fs";

const read = (name) => JSON.parse(readFileSync(new URL(`../../crates/domain/tests/vectors/app/${name}.json`, import.meta.url), "utf8"));

/** The folder of the app's scripts, for Node. */
export const APP = new URL("../../web/app/js/", import.meta.url).href;
export const codes = read("codes");
export const masks = read("masks");
