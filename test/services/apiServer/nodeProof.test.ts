import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import { encodeDevice } from "@ngpu/waves/claims";
import { encodeExceptions } from "@ngpu/waves/exceptions";
import { blocksOf } from "@ngpu/waves/schedule";
import { expect } from "chai";
import { keccak256 } from "viem";
import { createJudgedWaves } from "../../../services/apiServer/judgedWaves.ts";
import { proofOf } from "../../../services/apiServer/proofView.ts";
import { nodeProof } from "../../../services/apiServer/schemas/nodeProof.ts";
import { findClaim } from "../../../services/apiServer/store/market.ts";
import { figures } from "../../packages/waves/facts.ts";
import { accountOf, exception, hashOf } from "../../packages/waves/scriptedWaves.ts";
import { insertNode, insertRow, openChainTables } from "../support/chainTables.ts";
import { deploymentDocument } from "../support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);
const at = { block_hash: "0x", block_time: new Date(0), tx_hash: "0x" };
const measurers = [1, 2, 3, 4, 5, 6, 7];
const cpu = { figures, hardware: { kind: "cpu" as const, cores: 16 } };

describe("apiServer: the proof of a node", () => {
  let tables: Awaited<ReturnType<typeof openChainTables>>;
  before(async function () {
    this.timeout(120_000);
    tables = await openChainTables("ngpu_api");
    const { chain } = tables;
    for (const nodeId of [1, 2, 3, 4, 5]) {
      await insertNode(chain, { node_id: nodeId, key: accountOf(`node ${nodeId}`) });
      const claim = { node_id: nodeId, generation: 1, deadline: 1, claimed_block: 5, block_number: 5 };
      if (nodeId !== 5)
        await insertRow(chain, "chain.hardware_claim", { ...claim, devices: [encodeDevice(cpu)] });
    }
    for (const id of measurers) {
      const row = { measurer_id: id, key: accountOf(`measurer ${id}`), admitted: true, block_number: 2 };
      await insertRow(chain, "chain.measurer", row);
    }
    for (const waveId of [1, 2, 3, 4]) await insertWave(waveId, 1_000 * waveId);
  });
  after(() => tables?.close());

  /** Node 2 is silent in each wave, and measurer 7 hears node 3 with half of its memory. */
  async function insertWave(waveId: number, fill: number) {
    const { chain } = tables;
    const wave = { wave_id: waveId, fill_block: fill, fill_hash: hashOf(fill), block_number: fill + 1 };
    await insertRow(chain, "chain.wave", wave);
    const lists = measurers.map((id) =>
      encodeExceptions([exception(2, 0), ...(id === 7 ? [exception(3, 127)] : [])]),
    );
    for (const [index, measurerId] of measurers.entries()) {
      await insertRow(chain, "chain.wave_measurer", {
        wave_id: waveId,
        measurer_id: measurerId,
        stage: "revealed",
        block_number: fill + 9,
        chase_root: hashOf("chase"),
        answers_root: hashOf("answers"),
        commitment: hashOf(measurerId),
        results_root: hashOf(`results ${measurerId}`),
        transcripts_root: hashOf("transcripts"),
        exceptions: keccak256(lists[index] ?? "0x"),
      });
    }
    for (const [index, list] of [...new Set(lists)].entries()) {
      await insertRow(chain, "chain.event_exceptions_published", {
        ...at,
        block_number: fill + 20,
        log_index: index,
        wave_id: waveId,
        exceptions: keccak256(list),
        list,
      });
    }
  }

  const proven = async (nodeId: number, head: number) => {
    await tables.chain.query("delete from chain.head");
    await insertRow(tables.chain, "chain.head", { tier: "unsafe", number: head, hash: "0x" });
    const waves = await createJudgedWaves({ db: tables.db, deployment }).forNode(nodeId);
    return nodeProof.parse(proofOf(nodeId, await findClaim(tables.db, nodeId), waves));
  };

  it("is what it claims, what counts of it, and the last waves with their evidence by hash", async () => {
    const proof = await proven(1, 10_000);
    expect(proof).to.include({ nodeId: 1, claimedBlock: "5" });
    expect(proof.devices[0]).to.deep.include({
      passed: 4,
      waves: 4,
      hardware: { kind: "cpu", cores: 16, model: null },
    });
    expect(proof.devices[0]?.counts).to.deep.equal(proof.devices[0]?.claimed);
    expect(proof.waves.map(({ waveId }) => waveId)).to.deep.equal([4, 3, 2, 1]);
    const [wave] = proof.waves;
    expect(wave?.devices[0]).to.deep.include({ outcome: "passed", contested: false });
    expect(wave?.devices[0]?.measurers).to.have.members(measurers);
    expect(wave?.measurers.map(({ resultsRoot }) => resultsRoot)).to.include(hashOf("results 3"));
    expect(wave?.measurers[0]).to.include({
      chaseRoot: hashOf("chase"),
      transcriptsRoot: hashOf("transcripts"),
    });
  });

  it("counts nothing of a node that did not answer, and says nothing against one that claims nothing", async () => {
    const silent = await proven(2, 10_000);
    expect(silent.devices[0]).to.deep.include({ counts: null, passed: 0, waves: 4 });
    expect(silent.waves[0]?.devices[0]?.outcome).to.equal("failed");
    const unclaimed = await proven(5, 10_000);
    expect(unclaimed).to.deep.include({ claimedBlock: null, devices: [] });
    expect(unclaimed.waves.every(({ devices }) => devices.length === 0)).to.equal(true);
  });

  it("hears a single measurer that differs no more than the spare one", async () => {
    const proof = await proven(3, 10_000);
    expect(proof.waves[0]?.devices[0]).to.deep.include({ outcome: "passed", contested: false });
  });

  it("has no wave whose results can still be revealed", async () => {
    const { revealed } = blocksOf(4_000, deployment.parameters.waves);
    expect((await proven(1, revealed - 1)).waves.map(({ waveId }) => waveId)).to.deep.equal([3, 2, 1]);
    expect((await proven(1, revealed)).waves.length).to.equal(4);
  });

  it("follows a reorganization that changes the reveals of a wave after its first block", async () => {
    const { waves } = deployment.parameters;
    const { revealed } = blocksOf(4_000, waves);
    const block = { parent_hash: "0x", time: new Date(0) };
    await insertRow(tables.chain, "chain.block", { ...block, number: revealed, hash: "0xa" });
    await tables.chain.query("update chain.head set number = 10000");
    const [judged, proofs] = [createJudgedWaves({ db: tables.db, deployment }), createWaveProofs(waves)];
    const newest = async () => (await judged.forNode(1))[0]?.verdict.held;
    // Node 1 registered so that wave 2 is the third last one.
    const isJudged = async () => (await proofs.upTo(tables.db, 10_000n)).isJudged(1_500n);
    expect([await newest(), await isJudged()]).to.deep.equal([true, true]);
    await tables.chain.query("update chain.block set hash = '0xb'");
    await tables.chain.query(
      "update chain.wave_measurer set results_root = null where wave_id = 4 and measurer_id > 2",
    );
    expect([await newest(), await isJudged()]).to.deep.equal([false, false]);
  });
});
