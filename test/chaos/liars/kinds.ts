import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readsOf } from "@ngpu/proof/proven";
import { type Prover, startProver } from "@ngpu/proof/prover";
import type { Claim, Committed } from "@ngpu/proof/record";
import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import { pageBytes } from "@ngpu/proof/terms";
import type { ClaimedDevice } from "@ngpu/waves/claims";
import { modelHashOf } from "@ngpu/waves/claims";
import { pad } from "viem";
import { writePage } from "../../../packages/proof/permutation.ts";
import { cpuDevice } from "../../packages/proof/device.ts";
import { answerOf, type Cheat, heldPages } from "../../packages/proof/plainProver.ts";

type Answer = { chase: Committed; work: Committed };

/** What a node sends in a wave, part by part; undefined: nothing in time. The claim has the hashes of blocks so far. */
export type Answering = {
  chase: (claim: Claim) => Promise<Committed | undefined>;
  answer: (claim: Claim) => Promise<Answer | undefined>;
  transcript: (claim: Claim) => Promise<Uint8Array | undefined>;
};

/** A kind of node: how many of its names there are, what each claims, and how each answers a wave. */
export type Kind = {
  kind: string;
  names: number;
  claimed: ClaimedDevice;
  answer: (wave: number, name: number) => Answering;
};

/** What a core is claimed to have: little, so that a wave is short. */
const cpu: ClaimedDevice = {
  figures: { bytes: 2n ** 22n, bytesPerSecond: 100_000_000n, operationsPerSecond: 100_000_000n },
  hardware: { kind: "cpu", cores: 1 },
};
const h100: ClaimedDevice = {
  figures: { bytes: 80n * 2n ** 30n, bytesPerSecond: 10n ** 12n, operationsPerSecond: 3n * 10n ** 13n },
  hardware: { kind: "gpu", modelHash: modelHashOf("NVIDIA H100 80GB HBM3") },
};

const none: Answering = {
  chase: async () => undefined,
  answer: async () => undefined,
  transcript: async () => undefined,
};

/** Reads that prove a core's memory in a second, with some to spare. */
const enoughReads = 9_500_000n;

/** Answers with all that it claims: this machine's CPU by OpenCL, for as long as the reads take. */
function proving(prover: Prover): Answering {
  let chased: Committed | undefined;
  let answer: Answer | undefined;
  return {
    chase: async (claim) => {
      const seeds = seedsOf(claim);
      await prover.fill({ seed: seeds.fill, bytes: claim.bytes });
      for (let milliseconds = 500; ; milliseconds *= 2) {
        const { lanes, legs, root } = await prover.run("chase", { seed: seeds.chase, milliseconds });
        chased = { lanes, legs, root };
        if (readsOf(chased) >= enoughReads || milliseconds > 60_000) return chased;
      }
    },
    answer: async (claim) => {
      const { lanes, legs, root } = await prover.run("work", {
        seed: seedsOf(claim).work,
        milliseconds: 250,
      });
      answer = chased && { chase: chased, work: { lanes, legs, root } };
      return answer;
    },
    transcript: async (claim) => answer && prover.transcript(auditSeedOf(claim, answer)),
  };
}

const runs = { chase: { lanes: 16, legs: 1 }, work: { lanes: 16, legs: 1 } };

/** Answers by a program in TypeScript that departs from the protocol. */
function cheating(cheat: Cheat, seen: (claim: Claim) => Claim = (claim) => claim): Answering {
  let made: ReturnType<typeof answerOf> | undefined;
  return {
    chase: async (claim) => answerOf(seen(claim), runs, cheat).answer.chase,
    answer: async (claim) => {
      made = answerOf(seen(claim), runs, cheat);
      return made.answer;
    },
    transcript: async (claim) => made?.open(auditSeedOf(claim, made.answer)),
  };
}

/** Holds half of the pages, and makes up the others as they are read. */
const half: Cheat = {
  pages: (key, layout) => {
    const held = heldPages(key, { ...layout, windowPages: layout.windowPages / 2 });
    return (number) => {
      if (number < layout.windowPages / 2) return held(number);
      const page = new Int32Array(pageBytes / 4);
      writePage(page, key, number);
      return page;
    };
  },
};

/** Has its pages in a file. */
function onDisk(dir: string): Cheat {
  return {
    pages: (key, layout) => {
      const file = openSync(join(dir, "pages"), "w+");
      process.once("exit", () => closeSync(file));
      const page = new Int32Array(pageBytes / 4);
      for (let number = 0; number < layout.windows * layout.windowPages; number += 1) {
        writePage(page, key, number);
        writeSync(file, Buffer.from(page.buffer), 0, pageBytes, number * pageBytes);
      }
      return (number) => {
        readSync(file, Buffer.from(page.buffer), 0, pageBytes, number * pageBytes);
        return page;
      };
    },
  };
}

/** Honest nodes: so many that the box's names, which pass in turn and fail later, are few among the known ones. */
const honestNames = 5;

/** Every kind that is staged, the honest node first. `stop` ends their processes. */
export async function openKinds(): Promise<{ kinds: Kind[]; stop: () => Promise<void> }> {
  const device = await cpuDevice();
  const provers = await Promise.all(Array.from({ length: honestNames + 1 }, () => startProver({ device })));
  const box = provers[honestNames] as Prover;
  const dir = mkdtempSync(join(tmpdir(), "ngpu-liars-"));
  const sent: { current?: Answering } = {};
  const kinds: Kind[] = [
    {
      kind: "honest",
      names: honestNames,
      claimed: cpu,
      answer: (_wave, name) => {
        sent.current = remembered(proving(provers[name] as Prover));
        return sent.current;
      },
    },
    { kind: "8 × H100 without a GPU", names: 1, claimed: h100, answer: () => none },
    {
      kind: "ten names for one box",
      names: 10,
      claimed: cpu,
      answer: (wave, name) => (name === wave % 10 ? proving(box) : none),
    },
    { kind: "half the memory, the rest made up", names: 1, claimed: cpu, answer: () => cheating(half) },
    { kind: "memory on a disk", names: 1, claimed: cpu, answer: () => cheating(onDisk(dir)) },
    {
      kind: "an answer made before the seed",
      names: 1,
      claimed: cpu,
      answer: () => cheating({}, (claim) => ({ ...claim, blocks: { ...claim.blocks, chase: pad("0x1") } })),
    },
    {
      kind: "another node's answer",
      names: 1,
      claimed: cpu,
      answer: () => sent.current ?? none,
    },
    {
      kind: "an answer after the cut-off",
      names: 1,
      claimed: cpu,
      answer: () => ({ ...cheating({}), chase: async () => undefined }),
    },
    {
      kind: "another chase after the work's block",
      names: 1,
      claimed: cpu,
      answer: () => {
        const answering = cheating({});
        return { ...answering, chase: async () => ({ lanes: 16, legs: 1, root: pad("0x2") }) };
      },
    },
  ];
  return {
    kinds,
    stop: async () => {
      await Promise.all(provers.map((prover) => prover.stop()));
      rmSync(dir, { recursive: true });
    },
  };
}

/** Gives each part again to who asks for it later. */
function remembered(answering: Answering): Answering {
  const parts: Partial<Record<keyof Answering, Promise<never>>> = {};
  const once =
    <Part extends keyof Answering>(part: Part) =>
    (claim: Claim) => {
      parts[part] ??= answering[part](claim) as Promise<never>;
      return parts[part] as ReturnType<Answering[Part]>;
    };
  return { chase: once("chase"), answer: once("answer"), transcript: once("transcript") };
}
