import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { openSources } from "../../node-client/followedContracts.ts";
import { appendBlocks, keptBlocksOf } from "../../node-client/journal/chain.ts";
import { type Journal, openJournal } from "../../node-client/journal/open.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { hashOf } from "./chain.ts";

const first = parseDeployment(deploymentDocument);
const replaced = parseDeployment({
  ...deploymentDocument,
  contracts: { ...deploymentDocument.contracts, DockerContract: `0x${"a".repeat(40)}` },
  previous: [
    {
      contracts: { DockerContract: deploymentDocument.contracts.DockerContract },
      parameters: deploymentDocument.parameters,
    },
  ],
});

describe("the contracts that a node's journal was read from", () => {
  let dir: string;
  let journal: Journal;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-sources-"));
    journal = openJournal(join(dir, "journal.sqlite"));
  });
  afterEach(() => {
    journal.close();
    rmSync(dir, { recursive: true });
  });
  const see = () =>
    appendBlocks(journal, [{ number: 5n, hash: hashOf(5), parentHash: hashOf(4), timestamp: 10n }], []);
  const seen = () => keptBlocksOf(journal).length;

  it("are the same after a restart, also where the journal does not say", () => {
    see();
    const sources = openSources(journal, first);
    expect([sources.isComplete(), seen()]).to.deep.equal([true, 1]);
    sources.settle();
    expect([openSources(journal, first).isComplete(), seen()]).to.deep.equal([true, 1]);
  });

  it("have it read the chain anew when one comes beside them, and again until the head was reached", () => {
    see();
    openSources(journal, first).settle();
    expect([openSources(journal, replaced).isComplete(), seen()]).to.deep.equal([false, 0]);
    // Killed on the way.
    see();
    const sources = openSources(journal, replaced);
    expect([sources.isComplete(), seen()]).to.deep.equal([false, 0]);
    see();
    sources.settle();
    expect(sources.isComplete()).to.equal(true);
    expect([openSources(journal, replaced).isComplete(), seen()]).to.deep.equal([true, 1]);
  });

  it("are not all of those of a journal that does not say, where some were replaced", () => {
    see();
    expect([openSources(journal, replaced).isComplete(), seen()]).to.deep.equal([false, 0]);
  });
});
