// The picture of an app PIN: one of sixteen shapes in one of eight colours. It catches a mistyped PIN, nothing more, and so it says little:
// seven bits. Who sees it and holds the phone's storage has still a hundredth of all PINs before him.

import { say } from "../words/words.js";
import { el, svg } from "./node.js";

/** Filled, on a grid of 24. Their order is that of the words in `shapes`. */
const SHAPES = [
  "M12 2l3 7 7 .6-5.3 4.7 1.6 7.2L12 17.7 5.7 21.5l1.6-7.2L2 9.6 9 9z",
  "M15 2a10 10 0 107 14A8.5 8.5 0 0115 2z",
  "M12 7a5 5 0 100 10 5 5 0 000-10zM11 1h2v4h-2zM11 19h2v4h-2zM1 11h4v2H1zM19 11h4v2h-4zM4 5.4L5.4 4l3 3L7 8.4zM15.6 17l1.4-1.4 3 3-1.4 1.4zM4 18.6l3-3L8.4 17l-3 3zM15.6 7l3-3L20 5.4l-3 3z",
  "M12 21C5 16 2 12 2 8a5 5 0 0110-2 5 5 0 0110 2c0 4-3 8-10 13z",
  "M12 1l6 7h-3l5 6h-4l4 5h-6v4h-4v-4H4l4-5H4l5-6H6z",
  "M1 12c4-7 11-8 16-2l6-4v12l-6-4c-5 6-12 5-16-2zM6 10.5h2v2H6z",
  "M12 2l10 9h-3v10h-5v-6h-4v6H5V11H2z",
  "M11 2v12H3zM13 5l7 9h-7zM2 16h20l-4 6H6z",
  "M12 8a4 4 0 014-6 4 4 0 013 6 4 4 0 013 4 4 4 0 01-4 4 4 4 0 01-2 6 4 4 0 01-4-3 4 4 0 01-4 3 4 4 0 01-2-6 4 4 0 01-4-4 4 4 0 013-4 4 4 0 013-6 4 4 0 014 6z",
  "M3 5h14v2h3a3 3 0 010 8h-3.5A7 7 0 013 12zM17 9v4h2a2 2 0 000-4zM2 20h16v2H2z",
  "M7 2a6 6 0 014 10.5L20 21.5 18 23l-2-2-2 2-2-2 1.5-1.5L8 14A6 6 0 117 2zM7 6a2 2 0 100 4 2 2 0 000-4z",
  "M12 2a6 6 0 016 6v6l3 4H3l3-4V8a6 6 0 016-6zM9 20h6a3 3 0 01-6 0z",
  "M21 3C8 3 3 8 4 17l-2 4 2 1 2-3c9 1 15-4 15-16zM7 17l9-9-7 10z",
  "M12 1l8 9-8 9-8-9zM11 19h2l2 4H9z",
  "M9 4l5 9 3-4 6 12H1z",
  "M5 16a4 4 0 010-8 6 6 0 0111-2 5 5 0 013 10zM7 18h2l-1 4H6zM12 18h2l-1 4h-2zM17 18h2l-1 4h-2z",
];

/** @typedef {{ shape: number, colour: number }} Picture */

/** What it is called: «ماهی آبی», "blue fish". @param {Picture} picture */
export function nameOf({ shape, colour }) {
  return say("pictureName", { shape: say("shapes").split("|")[shape] ?? "", colour: say("colours").split("|")[colour] ?? "" });
}

/** @param {Picture} picture @param {"small" | "large"} size */
export function drawn(picture, size) {
  const shape = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: SHAPES[picture.shape] }));
  return el("span", { class: `picture ${size}`, "data-colour": picture.colour, "data-picture": `${picture.shape}-${picture.colour}`, role: "img", "aria-label": nameOf(picture) }, shape);
}
