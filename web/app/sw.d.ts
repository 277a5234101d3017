// What the door writes before the worker.

/** Of all files together. */
declare const VERSION: string;
/** Each path that the app needs, with its hash as `integrity` has it. */
declare const FILES: Record<string, string>;
