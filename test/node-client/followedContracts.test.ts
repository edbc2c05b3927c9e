import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { openFollowedContracts } from "../../node-client/followedContracts.ts";
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
    dir = mkdtempSync(join(tmpdir(), "ngpu-contracts-"));
    journal = openJournal(join(dir, "journal.sqlite"));
  });
  afterEach(() => {
    journal.close();
    rmSync(dir, { recursive: true });
  });
  const storeBlock = () =>
    appendBlocks(journal, [{ number: 5n, hash: hashOf(5), parentHash: hashOf(4), timestamp: 10n }], []);
  const storedBlocks = () => keptBlocksOf(journal).length;

  it("are the same after a restart, also if the journal does not list them", () => {
    storeBlock();
    const contracts = openFollowedContracts(journal, first);
    expect([contracts.isComplete(), storedBlocks()]).to.deep.equal([true, 1]);
    contracts.markComplete();
    expect([openFollowedContracts(journal, first).isComplete(), storedBlocks()]).to.deep.equal([true, 1]);
  });

  it("clear the journal when one is added, and again until the head was reached", () => {
    storeBlock();
    openFollowedContracts(journal, first).markComplete();
    expect([openFollowedContracts(journal, replaced).isComplete(), storedBlocks()]).to.deep.equal([false, 0]);
    // Killed before the head.
    storeBlock();
    const contracts = openFollowedContracts(journal, replaced);
    expect([contracts.isComplete(), storedBlocks()]).to.deep.equal([false, 0]);
    storeBlock();
    contracts.markComplete();
    expect(contracts.isComplete()).to.equal(true);
    expect([openFollowedContracts(journal, replaced).isComplete(), storedBlocks()]).to.deep.equal([true, 1]);
  });

  it("are incomplete in a journal that does not list them when one was replaced", () => {
    storeBlock();
    expect([openFollowedContracts(journal, replaced).isComplete(), storedBlocks()]).to.deep.equal([false, 0]);
  });
});
