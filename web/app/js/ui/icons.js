// Line icons on a grid of 24, each one path. They say nothing to a screen reader: the words stand beside them.

import { svg } from "./node.js";

const PATHS = {
  back: "M15 5l-7 7 7 7",
  bank: "M4 10l8-5 8 5M5 10v8M10 10v8M14 10v8M19 10v8M3 20h18",
  card: "M3 7a2 2 0 012-2h14a2 2 0 012 2v10a2 2 0 01-2 2H5a2 2 0 01-2-2zM3 10h18M7 15h4",
  ceiling: "M4 4h16M12 20V9M8 13l4-4 4 4",
  check: "M5 13l5 5L20 7",
  clock: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 7v5l3 2",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  erase: "M8 6h13v12H8l-6-6zM11 9.5l5 5M16 9.5l-5 5",
  finger: "M6 18c1-2 1-4 1-6a5 5 0 0110 0c0 2 0 4-.5 6M10 20c1-2.5 1-5 1-8a1 1 0 012 0c0 3 0 6-1 9M3.5 14V12a8.5 8.5 0 0117 0v3",
  gear: "M12 9a3 3 0 100 6 3 3 0 000-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.1 2.1M16.3 16.3l2.1 2.1M5.6 18.4l2.1-2.1M16.3 7.7l2.1-2.1",
  globe: "M12 3a9 9 0 100 18 9 9 0 000-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  help: "M12 3a9 9 0 100 18 9 9 0 000-18zM9.5 9.5a2.5 2.5 0 115 0c0 1.8-2.5 2-2.5 4M12 17h.01",
  install: "M12 3v11M8 10l4 4 4-4M4 17v3h16v-3",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 018 0v3",
  more: "M9 5l7 7-7 7",
  offline: "M4 4l16 16M8.5 15.5a5 5 0 017 0M5 12a10 10 0 014-2.4M15 9.6A10 10 0 0119 12M12 19h.01",
  phone: "M8 3h8a1 1 0 011 1v16a1 1 0 01-1 1H8a1 1 0 01-1-1V4a1 1 0 011-1zM11 18h2",
  pin: "M4 9h16v6H4zM8 12h.01M12 12h.01M16 12h.01",
  plus: "M12 5v14M5 12h14",
  receipt: "M6 3v18l2-1.5 2 1.5 2-1.5 2 1.5 2-1.5 2 1.5V3zM9 8h6M9 12h6",
  shield: "M12 3l8 3v6c0 5-3.5 7.5-8 9-4.5-1.5-8-4-8-9V6z",
  shop: "M4 9h16v11H4zM3 9l2-5h14l2 5M9 20v-6h6v6",
  sync: "M4 11a8 8 0 0114-4l2 2M20 4v5h-5M20 13a8 8 0 01-14 4l-2-2M4 20v-5h5",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
  web: "M3 5h18v14H3zM3 9h18M6 7h.01M9 7h.01",
};

/** @param {keyof typeof PATHS} name @param {string} [kind] a class beside `icon` */
export function icon(name, kind = "") {
  return svg("svg", { viewBox: "0 0 24 24", class: `icon ${kind}`.trim(), "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}
