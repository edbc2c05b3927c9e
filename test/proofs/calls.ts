// Calls between contracts, and the test runner's one cheatcode that proofs use: `warp`.
import { type Bytes, copyInto, readWord, slice } from "./bytes.ts";
import type { Step } from "./opcodes.ts";
import { type Code, copyStorage, type Frame, type State } from "./state.ts";
import { one, type Term, UnsupportedError, zero } from "./words.ts";

export type CallWorld = { codes: Map<bigint, Code>; caller: bigint; time: Term };

/** keccak256("hevm cheat code"). */
const CHEATS = 0x7109709ecfa91a80626ff3989d68f67f5b1dd12dn;
const WARP = 0xe5d6bf02n;

type Entry = { address: bigint; caller: bigint; data: Bytes; dataSize: number; output?: Frame["output"] };

export function enter(world: CallWorld, state: State, entry: Entry): void {
  const code = world.codes.get(entry.address);
  if (code === undefined) throw new UnsupportedError(`a call to 0x${entry.address.toString(16)}`);
  state.frames.push({
    output: { at: 0, length: 0 },
    ...entry,
    code,
    pc: 0,
    stack: [],
    memory: new Map(),
    returned: new Map(),
    returnedSize: 0,
    before: copyStorage(state.storage),
  });
}

/** CALL and STATICCALL; their offsets and addresses are known. */
export function startCall({ world, state, frame, take, push, number }: Step, hasValue: boolean): void {
  take();
  const address = take().value;
  if (hasValue) take();
  const [from, size, at, length] = [number(), number(), number(), number()];
  frame.pc += 1;
  if (address === CHEATS) {
    if (readWord(slice(frame.memory, from, 4), 0).value >> 224n !== WARP)
      throw new UnsupportedError("another cheatcode");
    state.time = readWord(frame.memory, from + 4);
    push(one);
    return;
  }
  const data = slice(frame.memory, from, size);
  enter(world, state, { address, caller: frame.address, data, dataSize: size, output: { at, length } });
}

/** Goes back to the caller. A reverted call leaves nothing behind. */
export function leave(state: State, isReturned: boolean, data: Bytes, size: number): void {
  const frame = state.frames.pop() as Frame;
  const caller = state.frames.at(-1) as Frame;
  if (!isReturned) state.storage = frame.before;
  [caller.returned, caller.returnedSize] = [data, size];
  copyInto(caller.memory, frame.output.at, data, 0, Math.min(size, frame.output.length));
  caller.stack.push(isReturned ? one : zero);
}
