import { signRelay } from "@ngpu/protocol/signedMessages";
import { registration } from "../../services/match/client.ts";
import type { TestMatch } from "../../services/match/setup.ts";
import { eventually } from "../../services/support/context.ts";
import { nodeKey } from "./keys.ts";

const perTransaction = 50;
const concurrentTransactions = 6;

/** Registers `count` nodes on the chain, each with its own signature, and waits for their export. */
export async function registerNodes(
  test: TestMatch,
  count: number,
  seed: number,
  say: (line: string) => void,
): Promise<void> {
  const { deployment } = test.market;
  const starts = Array.from(
    { length: Math.ceil(count / perTransaction) },
    (_, batch) => batch * perTransaction,
  ).values();
  let done = 0;
  const worker = async () => {
    for (const first of starts) {
      const places = Array.from(
        { length: Math.min(perTransaction, count - first) },
        (_, place) => first + place,
      );
      const signed = await Promise.all(
        places.map(async (place) => {
          const account = nodeKey(seed, place);
          const deadline = BigInt(Math.floor(Date.now() / 1_000)) + 3_600n;
          const message = registration({ account }, { deadline });
          return { message, signature: await signRelay(account, deployment, "register", message) };
        }),
      );
      await test.keeper.send({
        kind: "bench",
        contract: "ComputeNode",
        functionName: "registerBatch",
        args: [signed.map((one) => one.message), signed.map((one) => one.signature)],
      } as const);
      done += places.length;
      if (done % 2_500 < perTransaction) say(`${done} nodes registered`);
    }
  };
  await Promise.all(Array.from({ length: concurrentTransactions }, worker));
  await eventually(
    "all nodes in Postgres",
    async () => {
      const { rows } = await test.db.query<{ count: number }>(
        "select count(*)::int as count from chain.node",
      );
      return rows[0]?.count === count;
    },
    300_000,
  );
}
