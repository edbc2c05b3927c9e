// What single instructions do with words.
import { byteOf, copyInto, keccakOf, readWord } from "./bytes.ts";
import type { CallWorld } from "./calls.ts";
import type { Frame, State } from "./state.ts";
import {
  add,
  bitAnd,
  bitNot,
  bitOr,
  bitXor,
  constant,
  div,
  eq,
  isConstant,
  isTrue,
  low,
  lt,
  mod,
  mul,
  not,
  SIZE,
  shl,
  shr,
  sub,
  type Term,
  UnsupportedError,
} from "./words.ts";

export type Step = {
  world: CallWorld;
  state: State;
  frame: Frame;
  take: () => Term;
  push: (word: Term) => void;
  number: () => number;
};

const two: Record<number, (a: Term, b: Term) => Term> = {
  1: add,
  2: mul,
  3: sub,
  4: div,
  6: mod,
  10: power,
  16: lt,
  17: (a, b) => lt(b, a),
  18: signedLt,
  19: (a, b) => signedLt(b, a),
  20: eq,
  22: bitAnd,
  23: bitOr,
  24: bitXor,
  26: (index, word) => low(shr(word, 8n * (31n - index.value)), 8n),
  27: (count, word) => shl(word, count.value),
  28: (count, word) => shr(word, count.value),
};

function power(base: Term, exponent: Term): Term {
  let value = 1n;
  for (let count = exponent.value; count > 0n; count -= 1n) value = (value * base.value) % SIZE;
  return constant(value);
}

/** For words below 2^255, or known ones. */
function signedLt(a: Term, b: Term): Term {
  if (isConstant(a) && isConstant(b))
    return constant(BigInt.asIntN(256, a.value) < BigInt.asIntN(256, b.value) ? 1n : 0n);
  if (a.hi < SIZE >> 1n && b.hi < SIZE >> 1n) return lt(a, b);
  throw new UnsupportedError("a comparison of signed words");
}

export function arithmetic(op: number, { take, push }: Step): boolean {
  const operation = two[op];
  if (operation !== undefined) push(operation(take(), take()));
  else if (op === 0x15) push(not(isTrue(take())));
  else if (op === 0x19) push(bitNot(take()));
  else return false;
  return true;
}

/** Values of the chain that no property depends on are fixed. */
const fixed: Record<number, bigint> = { 52: 0n, 58: 1n, 67: 1_000_000n, 70: 1n, 72: 0n, 90: 10_000_000n };

export function environment(op: number, { world, state, frame, take, push, number }: Step): boolean {
  if (op === 0x30) push(constant(frame.address));
  else if (op === 0x32) push(constant(world.caller));
  else if (op === 0x33) push(constant(frame.caller));
  else if (op === 0x34) push(constant(0n));
  else if (op === 0x35) push(readWord(frame.data, number()));
  else if (op === 0x36) push(constant(BigInt(frame.dataSize)));
  else if (op === 0x38) push(constant(BigInt(frame.code.bytes.length)));
  else if (op === 0x3b) push(constant(world.codes.has(take().value) ? 1n : 0n));
  else if (op === 0x3d) push(constant(BigInt(frame.returnedSize)));
  else if (op === 0x42) push(state.time);
  else if (op === 0x59) push(constant(BigInt(Math.max(0, ...frame.memory.keys()) + 1)));
  else if (fixed[op] !== undefined) push(constant(fixed[op]));
  else return false;
  return true;
}

export function copies(op: number, { frame, take, push, number }: Step): boolean {
  if (op === 0x20) push(keccakOf(frame.memory, number(), number()));
  else if (op === 0x53) frame.memory.set(number(), byteOf(take(), 31));
  else if (op === 0x37) copyInto(frame.memory, number(), frame.data, number(), number());
  else if (op === 0x3e) copyInto(frame.memory, number(), frame.returned, number(), number());
  else if (op === 0x39) {
    const [to, from, length] = [number(), number(), number()];
    for (let index = 0; index < length; index += 1)
      frame.memory.set(to + index, frame.code.bytes[from + index] ?? 0);
  } else if (op === 0x5e) {
    const [to, from, length] = [number(), number(), number()];
    copyInto(frame.memory, to, new Map(frame.memory), from, length);
  } else return false;
  return true;
}
