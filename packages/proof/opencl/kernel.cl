// The device side of the proof of hardware. docs/proof.md specifies it; packages/proof/*.ts is the second implementation.
// LANES lanes, pages or hashes share a work-item: 1 on a GPU, whose threads are its lanes; 8 or 16 on a CPU, whose
// compiler makes vector instructions of them. The result is the same for each.

#if LANES == 1
typedef uint V;
#define LANE_NUMBERS 0
#define GATHER(m, i) m[i]
#elif LANES == 8
typedef uint8 V;
#define LANE_NUMBERS (uint8)(0, 1, 2, 3, 4, 5, 6, 7)
#define GATHER(m, i)                                                                                                  \
  (uint8)(m[i], m[16 + i], m[32 + i], m[48 + i], m[64 + i], m[80 + i], m[96 + i], m[112 + i])
#elif LANES == 16
typedef uint16 V;
#define LANE_NUMBERS (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define GATHER(m, i)                                                                                                  \
  (uint16)(m[i], m[16 + i], m[32 + i], m[48 + i], m[64 + i], m[80 + i], m[96 + i], m[112 + i], m[128 + i],            \
           m[144 + i], m[160 + i], m[176 + i], m[192 + i], m[208 + i], m[224 + i], m[240 + i])
#else
#error "LANES is 1, 8 or 16"
#endif

#define PAGE_WORDS 256
// A word more than a row has: a CPU's cache would take the words of a column for each other. The fill is 1.5 times faster.
#define ROW_WORDS 17
#define PAGE_PASSES 20
#define READS_PER_SEGMENT 128
#define ROUNDS_PER_SEGMENT 4096
#define SEGMENTS_PER_LEG 32

#define TURN(v, n) rotate((v), (V)(n))
#define QUARTER(a, b, c, d)                                                                                           \
  a += b;                                                                                                             \
  d = TURN(d ^ a, 16);                                                                                                \
  c += d;                                                                                                             \
  b = TURN(b ^ c, 12);                                                                                                \
  a += b;                                                                                                             \
  d = TURN(d ^ a, 8);                                                                                                 \
  c += d;                                                                                                             \
  b = TURN(b ^ c, 7);

/** ChaCha's double round (RFC 8439) on the 16 words of x that are `step` apart. */
#define DOUBLE_ROUND(x, first, step)                                                                                  \
  {                                                                                                                   \
    V y0 = x[first], y1 = x[first + step], y2 = x[first + 2 * step], y3 = x[first + 3 * step];                        \
    V y4 = x[first + 4 * step], y5 = x[first + 5 * step], y6 = x[first + 6 * step], y7 = x[first + 7 * step];         \
    V y8 = x[first + 8 * step], y9 = x[first + 9 * step], ya = x[first + 10 * step], yb = x[first + 11 * step];       \
    V yc = x[first + 12 * step], yd = x[first + 13 * step], ye = x[first + 14 * step], yf = x[first + 15 * step];     \
    QUARTER(y0, y4, y8, yc)                                                                                           \
    QUARTER(y1, y5, y9, yd)                                                                                           \
    QUARTER(y2, y6, ya, ye)                                                                                           \
    QUARTER(y3, y7, yb, yf)                                                                                           \
    QUARTER(y0, y5, ya, yf)                                                                                           \
    QUARTER(y1, y6, yb, yc)                                                                                           \
    QUARTER(y2, y7, y8, yd)                                                                                           \
    QUARTER(y3, y4, y9, ye)                                                                                           \
    x[first] = y0, x[first + step] = y1, x[first + 2 * step] = y2, x[first + 3 * step] = y3;                          \
    x[first + 4 * step] = y4, x[first + 5 * step] = y5, x[first + 6 * step] = y6, x[first + 7 * step] = y7;           \
    x[first + 8 * step] = y8, x[first + 9 * step] = y9, x[first + 10 * step] = ya, x[first + 11 * step] = yb;         \
    x[first + 12 * step] = yc, x[first + 13 * step] = yd, x[first + 14 * step] = ye, x[first + 15 * step] = yf;       \
  }

__constant uint blakeStart[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
__constant uchar blakeOrder[160] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 14, 10, 4,  8,  9,  15, 13, 6,  1,  12, 0,
    2,  11, 7,  5,  3,  11, 8,  12, 0,  5,  2,  15, 13, 10, 14, 3,  6,  7,  1,  9,  4,  7,  9,  3,  1,  13, 12,
    11, 14, 2,  6,  5,  10, 4,  0,  15, 8,  9,  0,  5,  7,  2,  4,  10, 15, 14, 1,  11, 12, 6,  8,  3,  13, 2,
    12, 6,  10, 0,  11, 8,  3,  4,  13, 7,  5,  15, 14, 1,  9,  12, 5,  1,  15, 14, 13, 4,  10, 0,  7,  6,  3,
    9,  2,  8,  11, 13, 11, 7,  14, 12, 1,  3,  9,  5,  0,  15, 4,  8,  6,  2,  10, 6,  15, 14, 9,  11, 3,  0,
    8,  12, 2,  13, 7,  1,  4,  10, 5,  10, 2,  8,  4,  7,  6,  1,  5,  15, 11, 9,  14, 3,  12, 13, 0};

#define MIX(T, a, b, c, d, x, y)                                                                                      \
  v[a] += v[b] + x;                                                                                                   \
  v[d] = rotate(v[d] ^ v[a], (T)16);                                                                                  \
  v[c] += v[d];                                                                                                       \
  v[b] = rotate(v[b] ^ v[c], (T)20);                                                                                  \
  v[a] += v[b] + y;                                                                                                   \
  v[d] = rotate(v[d] ^ v[a], (T)24);                                                                                  \
  v[c] += v[d];                                                                                                       \
  v[b] = rotate(v[b] ^ v[c], (T)25);

/** BLAKE2s' compression (RFC 7693) of the block m, at byte count `bytes`. */
#define DEFINE_COMPRESS(NAME, T)                                                                                      \
  void NAME(T *h, const T *m, uint bytes, bool isLast) {                                                              \
    T v[16];                                                                                                          \
    for (uint i = 0; i < 8; i++) {                                                                                    \
      v[i] = h[i];                                                                                                    \
      v[8 + i] = (T)blakeStart[i];                                                                                    \
    }                                                                                                                 \
    v[12] ^= (T)bytes;                                                                                                \
    if (isLast) v[14] = ~v[14];                                                                                       \
    for (uint r = 0; r < 10; r++) {                                                                                   \
      __constant uchar *s = blakeOrder + 16 * r;                                                                      \
      MIX(T, 0, 4, 8, 12, m[s[0]], m[s[1]])                                                                           \
      MIX(T, 1, 5, 9, 13, m[s[2]], m[s[3]])                                                                           \
      MIX(T, 2, 6, 10, 14, m[s[4]], m[s[5]])                                                                          \
      MIX(T, 3, 7, 11, 15, m[s[6]], m[s[7]])                                                                          \
      MIX(T, 0, 5, 10, 15, m[s[8]], m[s[9]])                                                                          \
      MIX(T, 1, 6, 11, 12, m[s[10]], m[s[11]])                                                                        \
      MIX(T, 2, 7, 8, 13, m[s[12]], m[s[13]])                                                                         \
      MIX(T, 3, 4, 9, 14, m[s[14]], m[s[15]])                                                                         \
    }                                                                                                                 \
    for (uint i = 0; i < 8; i++) h[i] ^= v[i] ^ v[8 + i];                                                             \
  }                                                                                                                   \
  void NAME##Start(T *h) {                                                                                            \
    for (uint i = 0; i < 8; i++) h[i] = (T)blakeStart[i];                                                             \
    h[0] ^= (T)0x01010020u;                                                                                           \
  }

DEFINE_COMPRESS(compress, V)
#if LANES == 1
#define compressOne compress
#define compressOneStart compressStart
#else
DEFINE_COMPRESS(compressOne, uint)
#endif

/** Writes the pages `first` and following of the memory. */
__kernel void fill(__global uint *chunk, __constant uint *key, uint first) {
  V x[16 * ROW_WORDS];
  uint item = get_global_id(0);
  V page = (V)(first + item * LANES) + LANE_NUMBERS;
  for (uint row = 0; row < 16; row++) {
    x[ROW_WORDS * row] = (V)0x61707865u;
    x[ROW_WORDS * row + 1] = (V)0x3320646eu;
    x[ROW_WORDS * row + 2] = (V)0x79622d32u;
    x[ROW_WORDS * row + 3] = (V)0x6b206574u;
    for (uint i = 0; i < 8; i++) x[ROW_WORDS * row + 4 + i] = (V)key[i];
    x[ROW_WORDS * row + 12] = page;
    x[ROW_WORDS * row + 13] = (V)row;
    x[ROW_WORDS * row + 14] = (V)0;
    x[ROW_WORDS * row + 15] = (V)0;
  }
  for (uint pass = 0; pass < PAGE_PASSES; pass++) {
    for (uint row = 0; row < 16; row++) DOUBLE_ROUND(x, ROW_WORDS * row, 1)
    for (uint column = 0; column < 16; column++) DOUBLE_ROUND(x, column, ROW_WORDS)
  }
  __private const uint *words = (__private const uint *)x;
  for (uint lane = 0; lane < LANES; lane++)
    for (uint i = 0; i < PAGE_WORDS; i++)
      chunk[((size_t)item * LANES + lane) * PAGE_WORDS + i] =
          words[(ROW_WORDS * (i / 16) + i % 16) * LANES + lane];
}

/** The states of lanes are word-major: word i of lane l is states[i * count + l]. */
void loadWords(V *to, __global const uint *from, uint words, uint count, uint item) {
  for (uint i = 0; i < words; i++) to[i] = ((__global const V *)(from + (size_t)i * count))[item];
}

void storeWords(__global uint *to, const V *from, uint words, uint count, uint item) {
  for (uint i = 0; i < words; i++) ((__global V *)(to + (size_t)i * count))[item] = from[i];
}

/** Adds the state before a segment to the leg's hash, then binds the state to the seed and the position. */
void beginSegment(V *s, __global uint *chains, uint count, __constant uint *key, uint firstLane, uint leg,
                  uint segment, uint kind) {
  uint item = get_global_id(0);
  V h[8];
  if (segment == 0)
    compressStart(h);
  else
    loadWords(h, chains, 8, count, item);
  compress(h, s, 64 * (segment + 1), segment == SEGMENTS_PER_LEG - 1);
  storeWords(chains, h, 8, count, item);
  for (uint i = 0; i < 8; i++) s[i] ^= (V)key[i];
  s[8] ^= (V)(firstLane + item * LANES) + LANE_NUMBERS;
  s[9] ^= (V)leg;
  s[10] ^= (V)segment;
  s[11] ^= (V)kind;
}

/** One segment of dependent reads in a window of four chunks. */
__kernel void chase(__global const uint *chunk0, __global const uint *chunk1, __global const uint *chunk2,
                    __global const uint *chunk3, uint chunkBlocks, __global uint *states, __global uint *chains,
                    uint count, __constant uint *key, uint firstLane, uint leg, uint segment) {
  V s[16];
  uint item = get_global_id(0);
  loadWords(s, states, 16, count, item);
  beginSegment(s, chains, count, key, firstLane, leg, segment, 1);
  for (uint read = 0; read < READS_PER_SEGMENT; read++) {
    DOUBLE_ROUND(s, 0, 1)
    V at = mul_hi(s[0], (V)(4 * chunkBlocks));
    __private const uint *places = (__private const uint *)&at;
    // A block is one aligned read of 64 bytes, here and there.
    uint16 blocks[LANES];
    for (uint lane = 0; lane < LANES; lane++) {
      uint place = places[lane];
      uint part = place / chunkBlocks;
      __global const uint *chunk = part == 0 ? chunk0 : part == 1 ? chunk1 : part == 2 ? chunk2 : chunk3;
      blocks[lane] = ((__global const uint16 *)chunk)[place - part * chunkBlocks];
    }
    __private const uint *block = (__private const uint *)blocks;
    for (uint i = 0; i < 16; i++) s[i] ^= GATHER(block, i);
  }
  storeWords(states, s, 16, count, item);
}

/** One segment of arithmetic, without memory. */
__kernel void work(__global uint *states, __global uint *chains, uint count, __constant uint *key, uint firstLane,
                   uint leg, uint segment) {
  V s[16];
  uint item = get_global_id(0);
  loadWords(s, states, 16, count, item);
  beginSegment(s, chains, count, key, firstLane, leg, segment, 2);
  for (uint round = 0; round < ROUNDS_PER_SEGMENT; round++) DOUBLE_ROUND(s, 0, 1)
  storeWords(states, s, 16, count, item);
}

/** The leaf of each lane at the end of a leg: the hash of the leg's hash and the last state. 8 words after another. */
__kernel void leaf(__global const uint *states, __global const uint *chains, uint count, __global uint *leaves) {
  V s[16], h[8], m[16];
  uint item = get_global_id(0);
  loadWords(s, states, 16, count, item);
  loadWords(m, chains, 8, count, item);
  for (uint i = 0; i < 8; i++) m[8 + i] = s[i];
  compressStart(h);
  compress(h, m, 64, false);
  for (uint i = 0; i < 8; i++) {
    m[i] = s[8 + i];
    m[8 + i] = (V)0;
  }
  compress(h, m, 96, true);
  __private const uint *words = (__private const uint *)h;
  for (uint lane = 0; lane < LANES; lane++)
    for (uint i = 0; i < 8; i++) leaves[((size_t)item * LANES + lane) * 8 + i] = words[i * LANES + lane];
}

/** One level of the tree over a leg's leaves: the hash of each pair. */
__kernel void level(__global const uint *below, __global uint *above) {
  uint h[8], m[16];
  size_t item = get_global_id(0);
  for (uint i = 0; i < 16; i++) m[i] = below[item * 16 + i];
  compressOneStart(h);
  compressOne(h, m, 64, true);
  for (uint i = 0; i < 8; i++) above[item * 8 + i] = h[i];
}
