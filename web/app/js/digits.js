// Digits as people type them.

/** Latin digits only: Persian and Arabic ones become Latin, everything else goes. @param {string} text */
export const digitsOf = (text) => text.normalize("NFKC").replace(/[\u06f0-\u06f9\u0660-\u0669]/g, (c) => String(c.charCodeAt(0) & 15)).replace(/[^0-9]/g, "");
