import { pagePasses } from "./terms.ts";

export const pageWords = 256;

/** "expand 32-byte k", the constants of ChaCha. */
const constants = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/**
 * The page of this number in a memory with this key: each row begins as a ChaCha block, then the whole page is permuted.
 * Every word depends on every other after each pass, so a part of a page costs as much as the whole.
 */
export function writePage(page: Int32Array, key: Int32Array, number: number): void {
  for (let row = 0; row < 16; row++) {
    const first = 16 * row;
    page.set(constants, first);
    page.set(key, first + 4);
    page[first + 12] = number;
    page[first + 13] = row;
    page[first + 14] = 0;
    page[first + 15] = 0;
  }
  for (let pass = 0; pass < pagePasses; pass++) {
    for (let row = 0; row < 16; row++) doubleRound(page, 16 * row, 1);
    for (let column = 0; column < 16; column++) doubleRound(page, column, 16);
  }
}

/**
 * ChaCha's double round (RFC 8439) on 16 words that are `step` apart. It is unrolled: its eight quarter rounds are written
 * out, so that the words stay in local variables. Hence its length.
 */
export function doubleRound(x: Int32Array, first: number, step: number): void {
  let y0 = x[first] as number;
  let y1 = x[first + step] as number;
  let y2 = x[first + 2 * step] as number;
  let y3 = x[first + 3 * step] as number;
  let y4 = x[first + 4 * step] as number;
  let y5 = x[first + 5 * step] as number;
  let y6 = x[first + 6 * step] as number;
  let y7 = x[first + 7 * step] as number;
  let y8 = x[first + 8 * step] as number;
  let y9 = x[first + 9 * step] as number;
  let ya = x[first + 10 * step] as number;
  let yb = x[first + 11 * step] as number;
  let yc = x[first + 12 * step] as number;
  let yd = x[first + 13 * step] as number;
  let ye = x[first + 14 * step] as number;
  let yf = x[first + 15 * step] as number;
  y0 = (y0 + y4) | 0;
  yc ^= y0;
  yc = (yc << 16) | (yc >>> 16);
  y8 = (y8 + yc) | 0;
  y4 ^= y8;
  y4 = (y4 << 12) | (y4 >>> 20);
  y0 = (y0 + y4) | 0;
  yc ^= y0;
  yc = (yc << 8) | (yc >>> 24);
  y8 = (y8 + yc) | 0;
  y4 ^= y8;
  y4 = (y4 << 7) | (y4 >>> 25);
  y1 = (y1 + y5) | 0;
  yd ^= y1;
  yd = (yd << 16) | (yd >>> 16);
  y9 = (y9 + yd) | 0;
  y5 ^= y9;
  y5 = (y5 << 12) | (y5 >>> 20);
  y1 = (y1 + y5) | 0;
  yd ^= y1;
  yd = (yd << 8) | (yd >>> 24);
  y9 = (y9 + yd) | 0;
  y5 ^= y9;
  y5 = (y5 << 7) | (y5 >>> 25);
  y2 = (y2 + y6) | 0;
  ye ^= y2;
  ye = (ye << 16) | (ye >>> 16);
  ya = (ya + ye) | 0;
  y6 ^= ya;
  y6 = (y6 << 12) | (y6 >>> 20);
  y2 = (y2 + y6) | 0;
  ye ^= y2;
  ye = (ye << 8) | (ye >>> 24);
  ya = (ya + ye) | 0;
  y6 ^= ya;
  y6 = (y6 << 7) | (y6 >>> 25);
  y3 = (y3 + y7) | 0;
  yf ^= y3;
  yf = (yf << 16) | (yf >>> 16);
  yb = (yb + yf) | 0;
  y7 ^= yb;
  y7 = (y7 << 12) | (y7 >>> 20);
  y3 = (y3 + y7) | 0;
  yf ^= y3;
  yf = (yf << 8) | (yf >>> 24);
  yb = (yb + yf) | 0;
  y7 ^= yb;
  y7 = (y7 << 7) | (y7 >>> 25);
  y0 = (y0 + y5) | 0;
  yf ^= y0;
  yf = (yf << 16) | (yf >>> 16);
  ya = (ya + yf) | 0;
  y5 ^= ya;
  y5 = (y5 << 12) | (y5 >>> 20);
  y0 = (y0 + y5) | 0;
  yf ^= y0;
  yf = (yf << 8) | (yf >>> 24);
  ya = (ya + yf) | 0;
  y5 ^= ya;
  y5 = (y5 << 7) | (y5 >>> 25);
  y1 = (y1 + y6) | 0;
  yc ^= y1;
  yc = (yc << 16) | (yc >>> 16);
  yb = (yb + yc) | 0;
  y6 ^= yb;
  y6 = (y6 << 12) | (y6 >>> 20);
  y1 = (y1 + y6) | 0;
  yc ^= y1;
  yc = (yc << 8) | (yc >>> 24);
  yb = (yb + yc) | 0;
  y6 ^= yb;
  y6 = (y6 << 7) | (y6 >>> 25);
  y2 = (y2 + y7) | 0;
  yd ^= y2;
  yd = (yd << 16) | (yd >>> 16);
  y8 = (y8 + yd) | 0;
  y7 ^= y8;
  y7 = (y7 << 12) | (y7 >>> 20);
  y2 = (y2 + y7) | 0;
  yd ^= y2;
  yd = (yd << 8) | (yd >>> 24);
  y8 = (y8 + yd) | 0;
  y7 ^= y8;
  y7 = (y7 << 7) | (y7 >>> 25);
  y3 = (y3 + y4) | 0;
  ye ^= y3;
  ye = (ye << 16) | (ye >>> 16);
  y9 = (y9 + ye) | 0;
  y4 ^= y9;
  y4 = (y4 << 12) | (y4 >>> 20);
  y3 = (y3 + y4) | 0;
  ye ^= y3;
  ye = (ye << 8) | (ye >>> 24);
  y9 = (y9 + ye) | 0;
  y4 ^= y9;
  y4 = (y4 << 7) | (y4 >>> 25);
  x[first] = y0;
  x[first + step] = y1;
  x[first + 2 * step] = y2;
  x[first + 3 * step] = y3;
  x[first + 4 * step] = y4;
  x[first + 5 * step] = y5;
  x[first + 6 * step] = y6;
  x[first + 7 * step] = y7;
  x[first + 8 * step] = y8;
  x[first + 9 * step] = y9;
  x[first + 10 * step] = ya;
  x[first + 11 * step] = yb;
  x[first + 12 * step] = yc;
  x[first + 13 * step] = yd;
  x[first + 14 * step] = ye;
  x[first + 15 * step] = yf;
}
