import type { Proven } from "@ngpu/proof/proven";
import type { Rules } from "../rules.ts";
import type { WaveTerms } from "../schedule.ts";
import { allShares, isAtLeast, noShares, sharesOf } from "../shares.ts";
import { type Challenged, keyOf, type Shares, type Statement, type WaveVerdict } from "../types.ts";
import { waveVerdict } from "../verdict.ts";
import { provenOf, readsOf } from "./chase.ts";
import { type Conditions, omittersOf, seedDelayOf, sentTo } from "./conditions.ts";
import {
  type Box,
  closeSeconds,
  type Effort,
  guardSeconds,
  type SimulatedClaim,
  secondsOf,
} from "./market.ts";
import type { Random } from "./random.ts";

export type Setting = { conditions: Conditions; rules: Rules; terms: WaveTerms; random: Random };

/** A box in a wave, with the share of it that other work takes. */
export type Busy = { box: Box; load: number };

/** One wave: what each box proves, who sees it, and the verdict of the market's own code. */
export function simulateWave(
  number: number,
  boxes: readonly Busy[],
  setting: Setting & { known: ReadonlyMap<string, bigint> },
): WaveVerdict {
  const { conditions, rules, random } = setting;
  const challenged: Challenged[] = [];
  const exceptions = Array.from({ length: conditions.measurers }, () => new Map<string, Shares>());
  const isOut = random.chance(conditions.outage);
  const sending = { secondsLeft: guardSeconds - closeSeconds, isOut, omits: omittersOf(conditions, random) };
  for (const { box, load } of boxes) {
    const plan = box.plan(number);
    for (const [place, node] of box.nodes.entries()) {
      const leased = box.isLeased?.(node.nodeId, number) ?? false;
      const received = sentTo(conditions, sending, random);
      const delays = { chase: seedDelayOf(conditions, random), work: seedDelayOf(conditions, random) };
      for (const [device, claim] of node.claims.entries()) {
        const ref = { nodeId: node.nodeId, device };
        challenged.push({
          ...ref,
          figures: claim.figures,
          operator: `box of ${box.nodes[0]?.nodeId}`,
          leased,
        });
        const effort = plan[place]?.[device];
        const shares = effort === undefined ? noShares : sharesIn(claim, effort, { load, delays }, setting);
        record(keyOf(ref), shares, received, exceptions);
      }
    }
  }
  const statements = statementsOf(exceptions, setting);
  return waveVerdict({ challenged, statements, known: setting.known }, rules);
}

/** The shares of a claim that its device proves in the time that is left of each part. */
function sharesIn(
  { claimed, figures }: SimulatedClaim,
  effort: Effort,
  { load, delays }: { load: number; delays: { chase: number; work: number } },
  { terms }: Setting,
): Shares {
  const free = 1 - load;
  const chase = secondsOf(terms.chaseBlocks);
  const work = secondsOf(terms.workBlocks);
  const seconds = chase - delays.chase - guardSeconds;
  const reads = readsOf(
    {
      ...effort,
      seconds,
      readsPerSecond: effort.readsPerSecond * free,
      pagesPerSecond: effort.pagesPerSecond * free,
    },
    claimed,
  );
  const operations = effort.operationsPerSecond * free * Math.max(0, work - delays.work - guardSeconds);
  const proven: Proven = {
    bytes: provenOf(claimed, reads, 1_000 * chase),
    bytesPerSecond: BigInt(Math.floor((reads * 64) / chase)),
    operationsPerSecond: BigInt(Math.floor(operations / work)),
  };
  return sharesOf(figures, proven);
}

/** What each measurer states of a device. Rewards know no more: evidence is not on the chain. */
function record(
  key: string,
  shares: Shares,
  received: { chase: boolean[]; answers: boolean[] },
  exceptions: readonly Map<string, Shares>[],
): void {
  for (const [measurer, stated] of exceptions.entries()) {
    const own = received.chase[measurer] && received.answers[measurer] ? shares : noShares;
    if (!isAtLeast(own, allShares)) stated.set(key, own);
  }
}

/** The statements of measurers that are there. One that omits states that nothing was proven, which is what it saw. */
function statementsOf(
  exceptions: readonly Map<string, Shares>[],
  { conditions, random }: Setting,
): Statement[] {
  const withheld = Math.round(conditions.measurers * conditions.withholding);
  return exceptions.flatMap((own, measurer) => {
    const isThere = !random.chance(conditions.measurerDown) && measurer >= withheld;
    return isThere
      ? [{ measurerId: measurer + 1, operator: `measurer ${measurer + 1}`, exceptions: own }]
      : [];
  });
}
