import type { ChainLog } from "@ngpu/rewards/chainLogs";
import type { JudgedWave } from "@ngpu/waves/history";
import { blocksOf } from "@ngpu/waves/schedule";
import { type Hex, toHex } from "viem";
import { waveHeaders, waveRecord } from "../../../../cli/audit/marketRecords.ts";
import { between, changed, type Planted, pick, type Subject } from "./subject.ts";

type Told = { wave: JudgedWave; own: readonly ChainLog[] };

/** Waves of which whoever opened them, or a measurer, states one field otherwise. */
export async function* waveLies(subject: Subject, count: number): AsyncGenerator<Planted> {
  const { history, waves } = subject;
  const terms = history.deployment.parameters.waves;
  const byWave = Map.groupBy(history.logs, ({ args }) => args.waveId);
  const flipped = (hash: Hex) => toHex(BigInt(hash) ^ (1n << BigInt(between(subject, 0, 255))), { size: 32 });
  const seeded =
    (name: "chase" | "work" | "audit") =>
    (told: Told): Told => {
      const { seeds } = told.wave;
      if (seeds === undefined) return told;
      return { ...told, wave: { ...told.wave, seeds: { ...seeds, [name]: flipped(seeds[name]) } } };
    };
  const changes: [string, (told: Told) => Told][] = [
    ["fillHash", ({ wave, own }) => ({ wave: { ...wave, fillHash: flipped(wave.fillHash) }, own })],
    [
      "fillBlock",
      ({ wave, own }) => {
        const blocks = blocksOf(wave.blocks.fill + pick(subject, [-1, 1]) * between(subject, 1, 9), terms);
        return { wave: { ...wave, blocks }, own };
      },
    ],
    ["chaseHash", seeded("chase")],
    ["workHash", seeded("work")],
    ["auditHash", seeded("audit")],
    ["stage", ({ wave, own }) => ({ wave, own: withStage(subject, own) })],
  ];
  for (let turn = 0; turn < count; turn++) {
    const [field, change] = changes[turn % changes.length] as (typeof changes)[number];
    const honest = pick(subject, waves);
    const { wave, own } = change({ wave: honest, own: byWave.get(honest.waveId) ?? [] });
    const record = waveRecord(wave, own, history, await waveHeaders(wave, history));
    yield { field, kind: "wave", id: String(honest.waveId), record };
  }
}

/** A post under another stage than that of its block. */
function withStage(subject: Subject, own: readonly ChainLog[]): readonly ChainLog[] {
  const posts = own.flatMap(({ name }, place) => (name === "WavePosted" ? [place] : []));
  const place = pick(subject, posts);
  const post = own[place] as ChainLog;
  return own.with(place, changed(post, { stage: (Number(post.args.stage) + between(subject, 1, 2)) % 3 }));
}
