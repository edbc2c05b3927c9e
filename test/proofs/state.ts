// The state of one path: frames of calls, storage, and what must hold on the way.
import type { Bytes } from "./bytes.ts";
import { add, isConstant, mul, narrowed, sub, type Term, UnsupportedError, zero } from "./words.ts";

/** A contract's code; unknown words stand at the places of its immutables. */
export type Code = { bytes: Uint8Array; targets: Set<number>; immutables: Map<number, Term> };

export type Frame = {
  address: bigint;
  caller: bigint;
  code: Code;
  pc: number;
  stack: Term[];
  memory: Bytes;
  data: Bytes;
  dataSize: number;
  returned: Bytes;
  returnedSize: number;
  /** Where the caller wants what a call returns, and the storage to go back to. */
  output: { at: number; length: number };
  before: Storage;
};

type Storage = Map<bigint, Map<string, Term>>;

export type State = {
  frames: Frame[];
  storage: Storage;
  time: Term;
  facts: Term[];
  /** Operations that do not wrap, since a check of the code passed. */
  exact: Map<number, Term>;
  steps: number;
};

export const copyStorage = (storage: Storage): Storage =>
  new Map([...storage].map(([address, slots]) => [address, new Map(slots)] as const));

export function copyState(state: State): State {
  const frames = state.frames.map((frame) => ({
    ...frame,
    stack: [...frame.stack],
    memory: new Map(frame.memory),
    before: frame.before,
  }));
  return {
    ...state,
    frames,
    storage: copyStorage(state.storage),
    facts: [...state.facts],
    exact: new Map(state.exact),
  };
}

/** Adds a fact, and what follows from it for sums, differences and products that the code has checked. */
export function assume(state: State, fact: Term): void {
  if (fact.op === "and") {
    for (const part of fact.args) assume(state, part);
    return;
  }
  state.facts.push(fact);
  const inner = fact.op === "not" ? fact.args[0] : undefined;
  if (inner?.op === "lt") {
    const [a, b] = inner.args as [Term, Term];
    if (isConstant(a)) state.exact.set(b.id, narrowed(b, a.value));
    const difference = sub(a, b);
    if (!difference.exact) state.exact.set(difference.id, sub(a, b, true));
  }
  if (fact.op === "lt") {
    const [a, b] = fact.args as [Term, Term];
    if (isConstant(b)) state.exact.set(a.id, narrowed(a, b.value - 1n));
    const difference = sub(b, a);
    if (!difference.exact) state.exact.set(difference.id, sub(b, a, true));
  }
  if (fact.op === "fits") {
    const checked = fact.args[0] as Term;
    const [a, b] = checked.args as [Term, Term];
    state.exact.set(checked.id, checked.op === "add" ? add(a, b, true) : mul(a, b, true));
  }
}

const keyOf = (slot: Term) => (slot.op === "const" ? `c${slot.value.toString(16)}` : `t${slot.id}`);

function slotsOf(storage: Storage, address: bigint): Map<string, Term> {
  const slots = storage.get(address) ?? new Map<string, Term>();
  storage.set(address, slots);
  return slots;
}

/** Two unknown slots might be one, so a run has one at most. */
function checkSlot(slots: Map<string, Term>, key: string): void {
  if (!key.startsWith("t") || slots.has(key)) return;
  if ([...slots.keys()].some((other) => other.startsWith("t")))
    throw new UnsupportedError("two unknown storage slots");
}

export function load(state: State, address: bigint, slot: Term): Term {
  const slots = slotsOf(state.storage, address);
  checkSlot(slots, keyOf(slot));
  return slots.get(keyOf(slot)) ?? zero;
}

export function store(state: State, address: bigint, slot: Term, word: Term): void {
  const slots = slotsOf(state.storage, address);
  checkSlot(slots, keyOf(slot));
  slots.set(keyOf(slot), word);
}
