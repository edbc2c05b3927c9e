import { auditDayOfLogs } from "@ngpu/audit/dayAudit";
import { judgedWaves } from "@ngpu/waves/history";
import type { MarketHistory } from "../../../../cli/audit/record.ts";
import { randomFrom } from "../../../packages/chain-reader/scriptedChain.ts";
import { refundLies, uptimeLies } from "./days.ts";
import { closedEpochs, epochLies } from "./epochs.ts";
import { factLies } from "./facts.ts";
import { placementLies } from "./placements.ts";
import { receiptLies } from "./receipts.ts";
import type { Planted, Subject } from "./subject.ts";
import { waveLies } from "./waves.ts";

/** Of a thousand lies, by what they are about. A fact is expensive: an epoch is closed again for each. */
const parts = { receipts: 280, refunds: 160, uptime: 80, waves: 180, epochs: 60, facts: 24 };

/**
 * Plants lies in an honest day, one at a time. For each the audit judges the record that states it, or the first one that follows
 * from it, after the honest logs before it.
 *
 * @param day The number of the day that has a root.
 */
export async function* plantLies(
  history: MarketHistory,
  { count, seed, day }: { count: number; seed: number; day: bigint },
): AsyncGenerator<Planted> {
  const { logs, clock, deployment, upTo } = history;
  const { parameters } = deployment;
  const subject: Subject = {
    history,
    waves: judgedWaves(logs, parameters.waves, upTo),
    day: await auditDayOfLogs(logs, { day, clock, parameters }),
    random: randomFrom(seed),
  };
  const of = (part: keyof typeof parts) => Math.floor((count * parts[part]) / 1_000);
  const others = Object.keys(parts).reduce((sum, part) => sum + of(part as keyof typeof parts), 0);
  const { rewards, epochs } = await closedEpochs(subject);
  yield* receiptLies(subject, of("receipts"));
  yield* refundLies(subject, of("refunds"));
  yield* uptimeLies(subject, of("uptime"));
  yield* waveLies(subject, of("waves"));
  yield* epochLies(subject, epochs, of("epochs"));
  yield* factLies(subject, { rewards, epochs }, of("facts"));
  yield* placementLies(subject, count - others);
}
