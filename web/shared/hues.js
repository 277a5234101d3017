// The colour that a bank is known by, as a hue from 0 to 359. Lightness and chroma are the page's: white letters must be
// readable on each.

/** @type {Record<string, number>} */
const HUES = {
  mellat: 12, melli: 75, saderat: 262, keshavarzi: 140, sepah: 62, tejarat: 250, maskan: 38, refah: 285, parsian: 25,
  pasargad: 88, saman: 232, sina: 255, shahr: 18, day: 190, ayandeh: 48, enbank: 320, karafarin: 160, postbank: 150,
  resalat: 200, mehriran: 135, tourism: 8, middleeast: 55, iranzamin: 300, bim: 218, edbi: 165, ttbank: 178, cbi: 240,
};

/** The hue of a bank, by its id; of one that is not listed, some hue, always the same. @param {string} id */
export function hueOf(id) {
  const known = HUES[id];
  if (known !== undefined) return known;
  let hue = 0;
  for (const c of id) hue = (hue * 31 + (c.codePointAt(0) ?? 0)) % 360;
  return hue;
}
