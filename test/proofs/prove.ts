// One property: every path of a harness's function, and whether one violates what it asserts.
import { bitsOf, codeOf, type compile, type Parameter } from "./compile.ts";
import { run, startState } from "./machine.ts";
import type { Solver } from "./smt.ts";
import { input, shl, type Term, UnsupportedError } from "./words.ts";

export type Property = {
  contract: string;
  name: string;
  /** Values of immutables; the others are unknown. */
  immutables?: Record<string, bigint>;
  /** Contracts at the addresses that the harness names. */
  others?: { address: bigint; contract: string }[];
};

export type Verdict =
  | { kind: "proven"; paths: number; reverted: number }
  | { kind: "refuted"; values: Record<string, bigint>; code: bigint }
  | { kind: "unproven"; reason: string };

/** Where a harness stands, and who calls it. */
export const HARNESS = 0x1000n;
const CALLER = 0x2000n;

type Given = { contracts: ReturnType<typeof compile>; solver: Solver; milliseconds: number };

export async function prove(
  { contracts, solver, milliseconds }: Given,
  property: Property,
): Promise<Verdict> {
  const artifact = contracts.get(property.contract);
  const called = artifact?.functions.find(({ name }) => name === property.name);
  if (artifact === undefined || called === undefined)
    throw new Error(`${property.contract}.${property.name} does not exist`);
  const codes = new Map([[HARNESS, codeOf(artifact, property.immutables ?? {})]]);
  for (const { address, contract } of property.others ?? []) {
    const other = contracts.get(contract);
    if (other === undefined) throw new Error(`${contract} does not exist`);
    codes.set(address, codeOf(other, {}));
  }
  const world = { codes, caller: CALLER, time: input("time", 40n) };
  const words = called.inputs.flatMap(wordsOf);
  let [paths, reverted, reached] = [0, 0, false];
  try {
    for await (const ending of run(world, solver, startState(world, HARNESS, called.selector, words))) {
      if (ending.kind === "returned") {
        paths += 1;
        reached ||= (await solver.check(ending.state.facts, milliseconds)).kind === "sat";
        continue;
      }
      if (ending.code === undefined) {
        reverted += 1;
        continue;
      }
      const { kind, model } = await solver.check(ending.state.facts, milliseconds);
      if (kind === "sat") return { kind: "refuted", values: model, code: ending.code };
      if (kind === "unknown")
        return {
          kind: "unproven",
          reason: `no answer in ${milliseconds / 1_000} s about panic 0x${ending.code.toString(16)}`,
        };
    }
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return { kind: "unproven", reason: error.message };
  }
  if (!reached) return { kind: "unproven", reason: "no path to the end is shown to exist" };
  return { kind: "proven", paths, reverted };
}

/** An unknown for each word of a static parameter. */
function wordsOf({ name, type, components }: Parameter): Term[] {
  if (components !== undefined) return components.flatMap(wordsOf);
  const array = /^(.+)\[(\d+)\]$/.exec(type);
  if (array?.[1] === undefined) return [wordOf(name, type)];
  const element = array[1];
  return Array.from({ length: Number(array[2]) }, (_, index) => wordOf(`${name}[${index}]`, element));
}

/** Short bytes are at a word's upper end. */
function wordOf(name: string, type: string): Term {
  const bytes = /^bytes(\d+)$/.exec(type)?.[1];
  if (bytes === undefined) return input(name, bitsOf(type));
  return shl(input(name, 8n * BigInt(bytes)), 256n - 8n * BigInt(bytes));
}
