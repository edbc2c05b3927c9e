import type { Proven } from "@ngpu/proof/proven";
import { rulesFor } from "@ngpu/waves/rules";
import type { Challenged, Shares, Statement } from "@ngpu/waves/types";
import { keyOf } from "@ngpu/waves/types";
import { waveVerdict } from "@ngpu/waves/verdict";

export const figures: Proven = {
  bytes: 80n * 2n ** 30n,
  bytesPerSecond: 1_000_000_000_000n,
  operationsPerSecond: 30_000_000_000_000n,
};

export const rules = rulesFor(7);

/** The claims of so many nodes, one device each, of operators that own no measurer. */
export function challengedOf(nodes: number, given: Partial<Challenged> = {}): Challenged[] {
  return Array.from({ length: nodes }, (_, index) => ({
    nodeId: index + 1,
    device: 0,
    figures,
    operator: `node ${index + 1}`,
    leased: false,
    ...given,
  }));
}

/** A measurer's statement, with the exceptions of some nodes' first devices. */
export function statementOf(measurerId: number, exceptions: Record<number, Shares> = {}): Statement {
  const entries = Object.entries(exceptions).map(([nodeId, shares]) => {
    return [keyOf({ nodeId: Number(nodeId), device: 0 }), shares] as const;
  });
  return { measurerId, operator: `measurer ${measurerId}`, exceptions: new Map(entries) };
}

export const shares = (value: number): Shares => ({ memory: value, bandwidth: value, arithmetic: value });

/** The verdict on node 1 of ten, by what each measurer states about it; undefined for all that is claimed. */
export function verdictOn(
  stated: readonly (number | undefined)[],
  given: Partial<Challenged> = {},
  seen?: Shares,
) {
  const statements = stated.map((value, index) =>
    statementOf(index + 1, value === undefined ? {} : { 1: shares(value) }),
  );
  const [first, ...others] = challengedOf(10);
  const challenged = [{ ...(first as Challenged), ...given }, ...others];
  const evidence = seen === undefined ? undefined : new Map([["1/0", seen]]);
  const facts = { challenged, statements, ...(evidence === undefined ? {} : { evidence }) };
  const verdict = waveVerdict(facts, rules);
  return { verdict, device: verdict.devices[0] };
}
