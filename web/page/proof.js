// The bot check: find a number so that SHA-256(challenge ":" number) begins with enough zero bits. SHA-256 is written out
// here, because WebCrypto's is asynchronous, and 33,000 promises cost more than the hashes.

const K = new Uint32Array(64);
const START = new Uint32Array(8);
{
  // The constants are the fractional parts of roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START[found] = (Math.sqrt(n) % 1) * 2 ** 32;
    K[found++] = (Math.cbrt(n) % 1) * 2 ** 32;
  }
}
const W = new Uint32Array(64);
const BLOCK = new Uint8Array(64);

/** The first 32 bits of the hash of at most 55 ASCII characters. */
export function head(text) {
  BLOCK.fill(0);
  for (let i = 0; i < text.length; i++) BLOCK[i] = text.charCodeAt(i);
  BLOCK[text.length] = 0x80;
  const bits = text.length * 8;
  BLOCK[62] = bits >>> 8;
  BLOCK[63] = bits & 0xff;
  for (let i = 0; i < 16; i++) {
    W[i] = (BLOCK[i * 4] << 24) | (BLOCK[i * 4 + 1] << 16) | (BLOCK[i * 4 + 2] << 8) | BLOCK[i * 4 + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = W[i - 16] + s0 + W[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let i = 0; i < 64; i++) {
    const S1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + S1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const S0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (S0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return (START[0] + a) >>> 0;
}

/** Works in slices, so that the page stays awake meanwhile. */
export async function solve(challenge, bits) {
  for (let number = 0; ; number++) {
    if (Math.clz32(head(`${challenge}:${number}`)) >= bits) return String(number);
    if (number % 4000 === 3999) await new Promise((done) => setTimeout(done));
  }
}
