import fc from "fast-check";

const count = (min: number, max: number) => fc.integer({ min, max });
const act = <Type extends string>(type: Type) =>
  fc.record({ type: fc.constant(type), size: count(1, 1_000), choice: count(0, 7) });

export const kinds = [
  "deposit",
  "gift",
  "withdraw",
  "send",
  "receive",
  "burn",
  "publish",
  "scale",
  "stop",
  "start",
  "remove",
  "pass",
  "settle",
  "collect",
  "receipts",
  "refund",
  "reward",
  "claim",
] as const;
export type ActKind = (typeof kinds)[number];
export type Act = { type: ActKind; size: number; choice: number };

const often = fc.constantFrom<ActKind>(
  "publish",
  "pass",
  "settle",
  "scale",
  "deposit",
  "withdraw",
  "stop",
  "start",
  "remove",
);
const more = often.chain((type) => act(type));

/** A part of a wallet's life: every kind of act, in any order. */
export const anyLife: fc.Arbitrary<Act[]> = fc
  .tuple(fc.tuple(...kinds.map((type) => act(type))), fc.array(more, { minLength: 4, maxLength: 10 }))
  .chain(([each, others]) =>
    fc.shuffledSubarray([...each, ...others], { minLength: each.length + others.length }),
  );
