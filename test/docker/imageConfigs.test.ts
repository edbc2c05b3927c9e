import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { expect } from "chai";
import Docker from "dockerode";
import fc from "fast-check";
import { generatePrivateKey } from "viem/accounts";
import type { Publication } from "../../node-client/plans.ts";
import { runs } from "../support/runs.ts";
import { type AgentOrder, encode, isStart } from "./node/agent.ts";
import type { Composition } from "./node/composedImage.ts";
import { brokenImages, type Expected, serving, users, workDirs } from "./node/imageCases.ts";
import { assignment, openRegistry, removeMarket } from "./node/market.ts";

type Reported = { workspaceId: bigint; code: string | null; details: Record<string, unknown> };

/** An image, and what its lease says: null that it runs, or codes of which one is reported. */
type Case = { name: string; composition: Composition; expected: Expected };

const docker = new Docker();

describe("what an image's configuration says, on a real engine", function () {
  this.timeout(600_000);
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let market: string;
  let dir: string;

  before(async () => {
    registry = await openRegistry();
  });
  after(() => registry.stop());
  beforeEach(() => {
    market = randomBytes(4).toString("hex");
    dir = mkdtempSync(join(tmpdir(), "ngpu-configs-"));
  });
  afterEach(async () => {
    await removeMarket(market);
    rmSync(dir, { recursive: true });
  });

  const publicationOf = async (index: number, composition: Composition): Promise<Publication> => {
    const known = registry.publicationOf("chat");
    const { image } = await registry.compose("chat", composition);
    return { ...known, workspaceId: BigInt(index), spec: { ...known.spec, image } };
  };

  const leasesOf = (count: number) =>
    Array.from({ length: count }, (_, index) => assignment({ workspaceId: BigInt(index + 1) }));

  /** Runs a node until each of its leases says that it runs, or why not. */
  const reportsOf = async (order: Partial<AgentOrder>): Promise<Reported[]> => {
    const complete = {
      dir,
      market,
      key: generatePrivateKey(),
      killAt: 0,
      secondsSinceContact: 0,
      awaitsAll: true,
      ...order,
    };
    const path = join(import.meta.dirname, "node/agent.ts");
    const child = spawn(process.execPath, [path, encode(complete)], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    if (out === "") throw new Error(errors);
    const { reasons } = JSON.parse(out, (_name, item) =>
      typeof item === "string" && /^\d+n$/.test(item) ? BigInt(item.slice(0, -1)) : item,
    ) as { reasons: Reported[] };
    return reasons;
  };

  const startsOfNeighbour = async (): Promise<[number, boolean][]> => {
    const filters = { label: [`ngpu.market=${market}`, "ngpu.workspace=1"] };
    const found = await docker.listContainers({ all: true, filters });
    return Promise.all(
      found.map(async ({ Id }): Promise<[number, boolean]> => {
        const { RestartCount, State } = await docker.getContainer(Id).inspect();
        return [RestartCount, State.Running];
      }),
    );
  };

  /** Runs all images beside a healthy one, and compares what each lease says. */
  const compare = async (cases: Case[]) => {
    const others: Publication[] = [];
    for (const [index, { composition }] of cases.entries()) {
      others.push(await publicationOf(index + 2, composition));
    }
    const publication = registry.publicationOf("chat");
    const reported = await reportsOf({ publication, others, assignments: leasesOf(cases.length + 1) });
    const saidBy = (index: number) =>
      reported.filter((one) => one.workspaceId === BigInt(index) && !isStart(one));
    const wrong = cases.flatMap(({ name, expected }, index) => {
      const [first] = saidBy(index + 2);
      return fits(first, expected) ? [] : [`${name}: ${first?.code} ${JSON.stringify(first?.details)}`];
    });
    expect(wrong).to.deep.equal([]);
    expect(saidBy(1).map(({ code }) => code)).to.deep.equal([null]);
    expect(await startsOfNeighbour()).to.deep.equal([[0, true]]);
  };

  it("runs every user that it names but root, or says that there is no such user", async () => {
    const generated = fc
      .sample(userText, runs(6, 160))
      .map((user) => ({ user, codes: [null, "container_start_failed"] }));
    await compare(
      [...users, ...generated].map(({ user, ...expected }) => ({
        name: `USER ${JSON.stringify(user)}`,
        composition: { config: { ...serving, User: user } },
        expected,
      })),
    );
  });

  it("runs in every directory that there is, or says why it cannot", async () => {
    await compare(
      workDirs.map(({ dir: path, ...expected }) => ({
        name: `WORKDIR ${JSON.stringify(path)}`,
        composition: { config: { ...serving, WorkingDir: path } },
        expected,
      })),
    );
  });

  it("says why its command, environment or configuration cannot be used", async () => {
    await compare(brokenImages);
  });
});

/** Whether a lease says what is expected of its image. */
function fits(said: Reported | undefined, { codes, exitCode, message }: Expected): boolean {
  if (said === undefined || !codes.includes(said.code)) return false;
  if (said.code === null) return true;
  if ("invalid" in parseNodeReason(said.code, said.details)) return false;
  if (exitCode !== undefined && said.details.exitCode !== exitCode) return false;
  return message === undefined || message.test(String(said.details.message));
}

const userText = fc.oneof(
  fc.stringMatching(/^[+-]?0{0,3}\d{0,11}(:[+-]?\d{0,11})?$/),
  fc.stringMatching(/^(root|app|nobody|daemon|\w{1,6})?:?(root|staff|\d{1,3})?$/),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
