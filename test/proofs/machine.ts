// A symbolic machine: every path of a call through compiled code, with unknown words.
import { bytesOf, readWord, slice, writeWord } from "./bytes.ts";
import { type CallWorld, enter, leave, startCall } from "./calls.ts";
import { linearFacts } from "./linear.ts";
import { arithmetic, copies, environment, type Step } from "./opcodes.ts";
import type { Solver } from "./smt.ts";
import { assume, type Code, copyState, type Frame, load, type State, store } from "./state.ts";
import { constant, eq, input, isConstant, isTrue, not, type Term, UnsupportedError } from "./words.ts";

export type Ending = {
  state: State;
  kind: "returned" | "reverted";
  data: Map<number, unknown>;
  code?: bigint;
};

const QUICK = 15_000;
const MOST_STEPS = 400_000;
const MOST_PATHS = 4_000;
const MOST_VALUES = 8;

/** Whether facts can hold; an unknown answer counts as yes. */
async function canHold(solver: Solver, state: State, fact: Term): Promise<boolean> {
  if (isConstant(fact)) return fact.value === 1n;
  if (state.facts.includes(fact)) return true;
  if (state.facts.includes(not(fact))) return false;
  return (await solver.check([...state.facts, fact], QUICK)).kind !== "unsat";
}

/** Runs a call and yields how each of its paths ends. */
export async function* run(world: CallWorld, solver: Solver, first: State): AsyncGenerator<Ending> {
  const open = [first];
  let paths = 0;
  while (open.length > 0) {
    const state = open.pop() as State;
    const result = await follow(world, solver, state);
    if ("forks" in result) open.push(...result.forks);
    else {
      paths += 1;
      if (paths > MOST_PATHS) throw new UnsupportedError(`more than ${MOST_PATHS} paths`);
      yield result;
    }
  }
}

type Followed = Ending | { forks: State[] };

async function follow(world: CallWorld, solver: Solver, state: State): Promise<Followed> {
  for (;;) {
    state.steps += 1;
    if (state.steps > MOST_STEPS) throw new UnsupportedError(`more than ${MOST_STEPS} steps in a path`);
    const frame = state.frames.at(-1) as Frame;
    const op = frame.code.bytes[frame.pc] ?? 0;
    if (op === 0x57) {
      const forks = await branch(solver, state, frame);
      if (forks.length !== 1) return { forks };
      continue;
    }
    const unknown = unknownOperand(frame, op, state);
    if (unknown !== undefined) return { forks: await valuesOf(solver, state, unknown) };
    const ending = step(world, state, frame, op);
    if (ending !== undefined) return ending;
  }
}

/** Both sides of a jump that can be reached. */
async function branch(solver: Solver, state: State, frame: Frame): Promise<State[]> {
  const target = Number(pop(state, frame).value);
  const condition = isTrue(pop(state, frame));
  const [taken, passed] = [
    await canHold(solver, state, condition),
    await canHold(solver, state, not(condition)),
  ];
  const other = taken && passed ? copyState(state) : state;
  const forks: State[] = [];
  if (passed) {
    if (!isConstant(condition)) assume(state, not(condition));
    frame.pc += 1;
    forks.push(state);
  }
  if (taken) {
    if (!isConstant(condition)) assume(other, condition);
    jump(other.frames.at(-1) as Frame, target);
    forks.push(other);
  }
  return forks;
}

/** A word that must be known to go on: an exponent, a shift, an offset. */
function unknownOperand(frame: Frame, op: number, { exact }: State): number | undefined {
  const places = knownOperands[op] ?? [];
  return places.find((place) => {
    const word = frame.stack.at(-1 - place);
    return word !== undefined && !isConstant(exact.get(word.id) ?? word);
  });
}

// SHL, SHR and BYTE by; memory at; jumps to; lengths of what is hashed, copied, called, logged and returned.
const knownOperands: Record<number, number[]> = {
  10: [0, 1],
  26: [0],
  27: [0],
  28: [0],
  32: [0, 1],
  53: [0],
  55: [0, 1, 2],
  57: [0, 1, 2],
  62: [0, 1, 2],
  81: [0],
  82: [0],
  83: [0],
  86: [0],
  94: [0, 1, 2],
  241: [1, 3, 4, 5, 6],
  250: [1, 2, 3, 4, 5],
  243: [0, 1],
  253: [0, 1],
};

/** A fork for each of the few values that an operand can have. */
async function valuesOf(solver: Solver, state: State, place: number): Promise<State[]> {
  const frame = state.frames.at(-1) as Frame;
  const at = frame.stack.length - 1 - place;
  const word = frame.stack[at] as Term;
  const value = input("value", 256n);
  const forks: State[] = [];
  const others: Term[] = [];
  for (;;) {
    const question = [...others, eq(value, word)];
    const { kind, model } = await solver.check([...state.facts, ...question], QUICK);
    if (kind === "unsat") return forks;
    let found = model.value;
    if (kind === "unknown") {
      // With fewer facts there are as many values or more: a fork that cannot be reached proves and refutes nothing.
      const easier = await solver.check([...linearFacts(state.facts, word), ...question], QUICK);
      if (easier.kind === "unsat") return forks;
      found = easier.model.value;
    }
    if (found === undefined || forks.length === MOST_VALUES)
      throw new UnsupportedError("an unknown place or shift");
    const fork = copyState(state);
    assume(fork, eq(word, constant(found)));
    (fork.frames.at(-1) as Frame).stack[at] = constant(found);
    forks.push(fork);
    others.push(not(eq(word, constant(found))));
  }
}

function pop(state: State, frame: Frame): Term {
  const word = frame.stack.pop();
  if (word === undefined) throw new UnsupportedError("an empty stack");
  return state.exact.get(word.id) ?? word;
}

function jump(frame: Frame, target: number): void {
  if (!frame.code.targets.has(target)) throw new UnsupportedError(`a jump to ${target}`);
  frame.pc = target;
}

function step(world: CallWorld, state: State, frame: Frame, op: number): Ending | undefined {
  const take = () => pop(state, frame);
  const push = (word: Term) => frame.stack.push(word);
  const number = () => Number(take().value);
  const context: Step = { world, state, frame, take, push, number };
  if (op >= 0x5f && op <= 0x7f) {
    push(pushed(frame.code, frame.pc, op - 0x5f));
    frame.pc += op - 0x5f + 1;
    return undefined;
  }
  if (op >= 0x80 && op <= 0x8f) {
    const word = frame.stack.at(-1 - (op - 0x80)) as Term;
    push(state.exact.get(word.id) ?? word);
  } else if (op >= 0x90 && op <= 0x9f) {
    const [top, other] = [frame.stack.length - 1, frame.stack.length - 2 - (op - 0x90)];
    [frame.stack[top], frame.stack[other]] = [frame.stack[other] as Term, frame.stack[top] as Term];
  } else if (op >= 0xa0 && op <= 0xa4) for (let count = op - 0xa0 + 2; count > 0; count -= 1) take();
  else if (op === 0x50) take();
  else if (op === 0x51) push(readWord(frame.memory, number()));
  else if (op === 0x52) writeWord(frame.memory, number(), take());
  else if (op === 0x54) push(load(state, frame.address, take()));
  else if (op === 0x55) store(state, frame.address, take(), take());
  else if (op === 0x56) {
    jump(frame, number());
    return undefined;
  } else if (op === 0xf1 || op === 0xfa) {
    startCall(context, op === 0xf1);
    return undefined;
  } else if (op === 0xf3 || op === 0xfd || op === 0x00 || op === 0xfe) return ended(state, frame, op, number);
  else if (op !== 0x5b && !arithmetic(op, context) && !environment(op, context) && !copies(op, context)) {
    throw new UnsupportedError(`opcode 0x${op.toString(16)}`);
  }
  frame.pc += 1;
  return undefined;
}

function pushed(code: Code, pc: number, length: number): Term {
  const immutable = code.immutables.get(pc + 1);
  if (immutable !== undefined) return immutable;
  let value = 0n;
  for (let index = 1; index <= length; index += 1)
    value = (value << 8n) | BigInt(code.bytes[pc + index] ?? 0);
  return constant(value);
}

function ended(state: State, frame: Frame, op: number, number: () => number): Ending | undefined {
  const hasData = op === 0xf3 || op === 0xfd;
  const [at, length] = hasData ? [number(), number()] : [0, 0];
  const data = slice(frame.memory, at, length);
  const isReturned = op === 0xf3 || op === 0x00;
  if (state.frames.length > 1) {
    leave(state, isReturned, data, length);
    return undefined;
  }
  const panic = readWord(data, 0).value >> 224n === 0x4e487b71n ? readWord(data, 4).value : undefined;
  const kind = isReturned ? "returned" : "reverted";
  return panic === undefined ? { state, kind, data } : { state, kind, data, code: panic };
}

/** A state at the beginning of a call. */
export function startState(
  world: CallWorld,
  address: bigint,
  selector: string,
  words: readonly Term[],
): State {
  const data = bytesOf(selector);
  for (const [index, word] of words.entries()) writeWord(data, 4 + 32 * index, word);
  const state: State = {
    frames: [],
    storage: new Map(),
    time: world.time,
    facts: [],
    exact: new Map(),
    steps: 0,
  };
  enter(world, state, { address, caller: world.caller, data, dataSize: 4 + 32 * words.length });
  return state;
}
