// Words of 256 bits as integers with known bounds: the terms that a symbolic run computes with. Packing is arithmetic here:
// a shift is a product or a quotient by a power of two, and an OR of words without a common bit is a sum.

export const SIZE = 1n << 256n;
const ONES = SIZE - 1n;

export type Op =
  | "const"
  | "input"
  | "hash"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "shl"
  | "shr"
  | "low"
  | "join"
  | "choose"
  | "lt"
  | "eq"
  | "not"
  | "and"
  | "fits"
  | "same";

/** Of a boolean, the bounds are 0 and 1. `exact`: the operation does not wrap. */
export type Term = {
  id: number;
  op: Op;
  args: readonly Term[];
  value: bigint;
  name: string;
  lo: bigint;
  hi: bigint;
  /** The bits that may be set. */
  bits: bigint;
  exact: boolean;
};

type Shape = Partial<Omit<Term, "id" | "op">>;

/** What a run cannot express, which is no verdict. */
export class UnsupportedError extends Error {}

const known = new Map<string, Term>();

const ceilBits = (hi: bigint) => (hi === 0n ? 0n : (1n << BigInt(hi.toString(2).length)) - 1n);

function node(op: Op, args: readonly Term[], shape: Shape): Term {
  const { value = 0n, name = "", exact = false } = shape;
  const key = `${op} ${value} ${name} ${exact} ${args.map(({ id }) => id).join(" ")}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const { lo = 0n, hi = ONES } = shape;
  const bits = (shape.bits ?? ONES) & ceilBits(hi);
  const term = { id: known.size, op, args, value, name, lo, hi, bits, exact };
  known.set(key, term);
  return term;
}

export const constant = (value: bigint) => node("const", [], { value, lo: value, hi: value, bits: value });
export const zero = constant(0n);
export const one = constant(1n);
export const isConstant = (term: Term) => term.op === "const";

/** An unknown of a number of bits. */
export const input = (name: string, bits: bigint) => node("input", [], { name, hi: (1n << bits) - 1n });
export const hashOf = (name: string) => node("hash", [], { name });

const bool = (op: Op, args: readonly Term[]) => node(op, args, { hi: 1n });
const truth = (value: boolean) => (value ? one : zero);

export function add(a: Term, b: Term, exact = false): Term {
  if (isConstant(a) && isConstant(b)) return constant((a.value + b.value) % SIZE);
  if (isConstant(a)) return a.value === 0n ? b : add(b, a, exact);
  if (b === zero) return a;
  const hi = a.hi + b.hi;
  if (hi < SIZE) return node("add", [a, b], { exact: true, lo: a.lo + b.lo, hi });
  // Subtraction of a constant.
  if (isConstant(b) && !exact && a.hi < SIZE >> 1n && b.value > SIZE >> 1n)
    return sub(a, constant(SIZE - b.value));
  return exact ? node("add", [a, b], { exact, lo: a.lo + b.lo }) : node("add", [a, b], {});
}

export function sub(a: Term, b: Term, exact = false): Term {
  if (isConstant(a) && isConstant(b)) return constant((a.value - b.value + SIZE) % SIZE);
  if (b === zero) return a;
  if (a === b) return zero;
  if (a.op === "add" && a.exact && a.args[0] === b) return a.args[1] as Term;
  if (a.op === "add" && a.exact && a.args[1] === b) return a.args[0] as Term;
  if (exact || a.lo >= b.hi) {
    const lo = a.lo > b.hi ? a.lo - b.hi : 0n;
    return node("sub", [a, b], { exact: true, lo, hi: a.hi > b.lo ? a.hi - b.lo : 0n });
  }
  return node("sub", [a, b], {});
}

export function mul(a: Term, b: Term, exact = false): Term {
  if (isConstant(a) && isConstant(b)) return constant((a.value * b.value) % SIZE);
  if (isConstant(a)) return mul(b, a, exact);
  if (b === zero) return zero;
  if (b === one) return a;
  const [first, second] = isConstant(b) || a.id < b.id ? [a, b] : [b, a];
  const hi = a.hi * b.hi;
  if (hi < SIZE || exact) {
    return node("mul", [first, second], { exact: true, lo: a.lo * b.lo, hi: hi < SIZE ? hi : ONES });
  }
  return node("mul", [first, second], {});
}

export function div(a: Term, b: Term): Term {
  if (b === zero) return zero;
  if (isConstant(b)) {
    if (isConstant(a)) return constant(a.value / b.value);
    if (b.value === 1n) return a;
    if (a.hi < b.value) return zero;
    return node("div", [a, b], { lo: a.lo / b.value, hi: a.hi / b.value });
  }
  if (a.op === "mul" && a.exact && a.args.includes(b)) {
    const other = (a.args[0] === b ? a.args[1] : a.args[0]) as Term;
    return b.lo > 0n ? other : choose(eq(b, zero), zero, other);
  }
  return node("div", [a, b], { hi: a.hi });
}

export function mod(a: Term, b: Term): Term {
  if (b === zero) return zero;
  if (isConstant(a) && isConstant(b)) return constant(a.value % b.value);
  if (isConstant(b) && a.hi < b.value) return a;
  const most = b.hi - 1n;
  return node("mod", [a, b], { hi: most < a.hi ? most : a.hi });
}

export function low(a: Term, count: bigint): Term {
  const mask = (1n << count) - 1n;
  if (isConstant(a)) return constant(a.value & mask);
  if (a.hi <= mask) return a;
  if ((a.bits & mask) === 0n) return zero;
  if (a.op === "low") return low(a.args[0] as Term, count < a.value ? count : a.value);
  if (a.op === "join") return joined(a.args.map((part) => low(part, count)));
  if (a.op === "shl") return a.value >= count ? zero : shl(low(a.args[0] as Term, count - a.value), a.value);
  if (a.op === "choose" && a.args.slice(1).some(isConstant)) {
    return choose(a.args[0] as Term, low(a.args[1] as Term, count), low(a.args[2] as Term, count));
  }
  return node("low", [a], { value: count, hi: mask, bits: a.bits & mask });
}

export function shr(a: Term, count: bigint): Term {
  if (count === 0n) return a;
  if (isConstant(a)) return constant(a.value >> count);
  if (a.hi >> count === 0n) return zero;
  if (a.op === "join") return joined(a.args.map((part) => shr(part, count)));
  if (a.op === "shl") {
    const inner = a.args[0] as Term;
    return a.value >= count ? shl(inner, a.value - count) : shr(inner, count - a.value);
  }
  if (a.op === "shr") return shr(a.args[0] as Term, a.value + count);
  return node("shr", [a], { value: count, lo: a.lo >> count, hi: a.hi >> count, bits: a.bits >> count });
}

export function shl(a: Term, count: bigint): Term {
  if (count === 0n) return a;
  if (count >= 256n) return zero;
  const kept = low(a, 256n - count);
  if (isConstant(kept)) return constant(kept.value << count);
  if (kept.op === "join") return joined(kept.args.map((part) => shl(part, count)));
  if (kept.op === "shl") return shl(kept.args[0] as Term, kept.value + count);
  return node("shl", [kept], {
    value: count,
    lo: kept.lo << count,
    hi: kept.hi << count,
    bits: kept.bits << count,
  });
}

/** The sum of words without a common bit. */
function joined(parts: readonly Term[]): Term {
  const flat = parts.flatMap((part) => (part.op === "join" ? [...part.args] : [part]));
  const fixed = flat.filter(isConstant).reduce((sum, { value }) => sum + value, 0n);
  const others = flat.filter((part) => !isConstant(part)).sort((one, other) => one.id - other.id);
  const all = fixed === 0n ? others : [constant(fixed), ...others];
  if (all.length <= 1) return all[0] ?? zero;
  const sum = (of: (term: Term) => bigint) => all.reduce((total, term) => total + of(term), 0n);
  return node("join", all, {
    lo: sum(({ lo }) => lo),
    hi: sum(({ hi }) => hi),
    bits: sum(({ bits }) => bits),
  });
}

/** The bits of a constant mask, as ranges. */
function masked(a: Term, mask: bigint): Term {
  const wanted = mask & a.bits;
  if (wanted === a.bits) return a;
  if (wanted === 0n) return zero;
  if (a.op === "join") return joined(a.args.map((part) => masked(part, mask)));
  if (a.op === "shl") return shl(masked(a.args[0] as Term, mask >> a.value), a.value);
  const parts: Term[] = [];
  for (let from = 0n; from < 256n; from += 1n) {
    if (((mask >> from) & 1n) === 0n) continue;
    let to = from;
    while (to < 256n && ((mask >> to) & 1n) === 1n) to += 1n;
    parts.push(shl(low(shr(a, from), to - from), from));
    from = to;
  }
  return joined(parts);
}

const isBool = (term: Term) => term.hi <= 1n;

export function bitAnd(a: Term, b: Term): Term {
  if (isConstant(a)) return isConstant(b) ? constant(a.value & b.value) : masked(b, a.value);
  if (isConstant(b)) return masked(a, b.value);
  if (a === b) return a;
  if (isBool(a) && isBool(b)) return and(a, b);
  if ((a.bits & b.bits) === 0n) return zero;
  throw new UnsupportedError("AND of two unknown words");
}

export function bitOr(a: Term, b: Term): Term {
  if (a === b) return a;
  if (isBool(a) && isBool(b)) return not(and(not(a), not(b)));
  if ((a.bits & b.bits) === 0n) return joined([a, b]);
  if (isConstant(a)) return joined([masked(b, ONES ^ a.value), a]);
  if (isConstant(b)) return joined([masked(a, ONES ^ b.value), b]);
  throw new UnsupportedError("OR of two unknown words with common bits");
}

export function bitXor(a: Term, b: Term): Term {
  if (isConstant(a) && isConstant(b)) return constant(a.value ^ b.value);
  if (a === b) return zero;
  if ((a.bits & b.bits) === 0n) return joined([a, b]);
  if (isBool(a) && isBool(b)) return not(eq(a, b));
  throw new UnsupportedError("XOR of two unknown words");
}

export const bitNot = (a: Term) => sub(constant(ONES), a, true);

export function choose(condition: Term, then: Term, otherwise: Term): Term {
  if (isConstant(condition)) return condition.value === 1n ? then : otherwise;
  if (then === otherwise) return then;
  if (then === one && otherwise === zero) return condition;
  if (then === zero && otherwise === one) return not(condition);
  let { lo, hi } = then;
  if (otherwise.lo < lo) lo = otherwise.lo;
  if (otherwise.hi > hi) hi = otherwise.hi;
  return node("choose", [condition, then, otherwise], { lo, hi, bits: then.bits | otherwise.bits });
}

/** The same word, known to be at most `hi`. */
export function narrowed(a: Term, hi: bigint): Term {
  if (a.hi <= hi) return a;
  return node("same", [a], { value: hi, lo: a.lo, hi, bits: a.bits });
}

/** a < b. An overflow's check becomes the comparison that it stands for. */
export function lt(a: Term, b: Term): Term {
  if (a.hi < b.lo) return one;
  if (a.lo >= b.hi || a === b) return zero;
  // a < a - b, which has wrapped.
  if (b.op === "sub" && b.args[0] === a) return b.exact ? zero : lt(a, b.args[1] as Term);
  // A difference of narrow words is wide only when it has wrapped.
  const isNarrow = isConstant(a) && b.op === "sub" && !b.exact;
  const [from, taken] = b.args;
  if (isNarrow && from && taken && from.hi <= a.value && taken.hi < SIZE - a.value) return lt(from, taken);
  if (a.op === "add" && a.args.includes(b)) {
    if (a.exact) return zero;
    return not(bool("fits", [node("add", a.args, {})]));
  }
  return bool("lt", [a, b]);
}

export function eq(a: Term, b: Term): Term {
  if (a === b) return one;
  if (a.hi < b.lo || b.hi < a.lo) return zero;
  if (isConstant(a)) return eq(b, a);
  if (b === zero && isBool(a)) return not(a);
  if (b === one && isBool(a)) return a;
  for (const [whole, part] of [
    [a, b],
    [b, a],
  ] as const) {
    const [product, by] = whole.args;
    if (whole.op !== "div" || product?.op !== "mul" || product.exact || by === undefined) continue;
    if (product.args.includes(by) && product.args.includes(part)) {
      return and(not(eq(by, zero)), bool("fits", [product]));
    }
  }
  return a.id < b.id || isConstant(b) ? bool("eq", [a, b]) : bool("eq", [b, a]);
}

export function not(a: Term): Term {
  if (isConstant(a)) return truth(a.value === 0n);
  if (!isBool(a)) return eq(a, zero);
  return a.op === "not" ? (a.args[0] as Term) : bool("not", [a]);
}

export function and(a: Term, b: Term): Term {
  if (a === zero || b === zero) return zero;
  if (a === one || a === b) return b;
  if (b === one) return a;
  return bool("and", [a, b]);
}

/** Whether a word is not zero. */
export const isTrue = (word: Term) => (isBool(word) ? word : not(eq(word, zero)));
