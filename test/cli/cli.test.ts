import { randomUUID } from "node:crypto";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Replay } from "@ngpu/queries/replay";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { openIdentity } from "../../node-client/keys/identity.ts";
import { adoptNextKey, type KeyChange } from "../../node-client/keys/rotation.ts";
import type { Client } from "../services/apiServer/client.ts";
import { join, newWorkspace } from "../services/apiServer/partner.ts";
import { type ApiMarket, setup } from "../services/apiServer/setup.ts";
import { accounts, privateKeyOf } from "../services/workspace/chain.ts";
import { addNode } from "../services/workspace/chainActions.ts";
import { runCli, runProgram } from "../support/runCli.ts";

const gpu = { name: "NVIDIA H200", vramMib: 144_384, computeCapability: 90 };

describe("the command line", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client & { apiKey: string };

  before(async () => {
    api = await setup({ explains: true });
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    await addNode(api.chain, "plain");
    await addNode(api.chain, "gpu", 4, gpu);
    await api.market.exported();
  });
  after(() => api.stop());

  const cli = (args: string[], input?: string) =>
    runCli(args, {
      env: { NGPU_API: api.url, NGPU_API_KEY: partner.apiKey },
      ...(input === undefined ? {} : { input }),
    });

  describe("explain", () => {
    it("prints where a workspace could be placed and exits 0", async () => {
      const { code, stdout } = await cli(["explain", "--cpu", "0.5"]);
      expect([code, stdout.split("\n")[0]]).to.deep.equal([
        0,
        "2 of 2 nodes fit: the first replica would go to node 1 for 3.6e-12 NGPU an hour; 1 of 1 could be placed now.",
      ]);
    });

    it("prints the missing and the available GPU model by name and exits 2", async () => {
      const { code, stdout } = await cli(["explain", "--gpus", "1", "--gpu-model", "NVIDIA H100 NVL"]);
      expect(code).to.equal(2);
      expect(stdout).to.include("2 nodes rejected: GPU model is not NVIDIA H100 NVL.");
      expect(stdout).to.include("The closest match is node 2: NVIDIA H200 instead of NVIDIA H100 NVL.");
    });

    it("prints what a node earned in an epoch, term by term", async () => {
      const account = `0x${"c3".repeat(20)}`;
      const classes = [{ class: 0, pot: "1000", weight: "20", granted: "40" }];
      const document = {
        number: 7,
        emission: "1000",
        terms: {
          measurerBasisPoints: 0,
          taskBasisPoints: 0,
          nodeTaskBasisPoints: 4_500,
          classes: [{ weight: "1000000", rate: "2", ceiling: "1" }],
        },
        nodes: [{ nodeId: 42, account, reached: true, present: 3, counted: 2 }],
        classes,
        shares: [{ nodeId: 42, account, class: 0, units: "10", slots: 2, amount: "40" }],
        tasks: [],
        bonds: [],
        bond: { amount: "0", epochs: 0, days: 7, uptimePermille: 900, throughDay: null },
      };
      await api.db.query(
        "insert into app.epoch (number, root, total, data_hash, document) values (7, '0x07', 40, '0x07', $1)",
        [JSON.stringify(document)],
      );
      await api.db.query(
        `insert into chain.epoch (number, generation, root, total, data_hash, activates_at, disabled, block_number)
         values (7, 1, '0x07', 40, '0x07', 1, false, 1)`,
      );
      const { code, stdout } = await cli(["explain", "reward", "--node", "42", "--epoch", "7"]);
      expect(code).to.equal(0);
      expect(stdout).to.include("Its 10 units (thousandths of a core) in 2 slots are 20 unit-slots");
      const unknown = await cli(["explain", "reward", "--node", "43", "--epoch", "7"]);
      expect(unknown.code).to.equal(1);
      expect(unknown.stderr).to.include("Node 43 was not registered in epoch 7.");
    });

    it("reads the request from a file or stdin", async () => {
      const { code, stdout } = await cli(
        ["explain", "-", "--json"],
        JSON.stringify({ ...newWorkspace, region: "JP" }),
      );
      expect(code).to.equal(2);
      expect(JSON.parse(stdout)).to.deep.include({ fitting: 0, refused: { region: 2 } });
    });

    for (const [what, args, input, message] of [
      ["a missing file", ["explain", "/nowhere.json"], undefined, "/nowhere.json cannot be read: ENOENT"],
      ["input that is not JSON", ["explain", "-"], "{", "The input on stdin is not JSON."],
      ["a request that the API rejects", ["explain", "--strategy", "luck"], undefined, "placement/strategy"],
      ["an invalid count", ["explain", "--ports", "many"], undefined, "whole number"],
      ["an unreachable API", ["explain", "--api", "http://127.0.0.1:9"], undefined, "does not answer"],
    ] as const) {
      it(`reports ${what} and exits 1`, async () => {
        const { code, stdout, stderr } = await cli([...args], input);
        expect([code, stdout]).to.deep.equal([1, ""]);
        expect(stderr).to.include(message);
        expect(stderr).to.not.match(/\n\s+at /);
      });
    }
  });

  describe("workspace show", () => {
    it("prints why no replica runs, and the history", async () => {
      const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
      const shown = await cli(["workspace", "show", body.id]);
      expect(shown.stdout).to.match(
        new RegExp(
          `^Workspace ${body.id}: pending, 0 of 1 replicas run.\\nThe market chooses a node for the replica. \\(placing, since .*\\)\\n`,
        ),
      );
      expect(shown.code).to.equal(0);
      const { stdout } = await cli(["workspace", "events", body.id]);
      expect(stdout).to.match(/^\S+ {2}workspace_published {2}The workspace was published\.\n$/);
      const json = await cli(["workspace", "events", body.id, "--json"]);
      expect(JSON.parse(json.stdout)).to.include({ code: "workspace_published", count: 1 });
    });
  });

  describe("workspace update", () => {
    it("changes the number of replicas", async () => {
      const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
      const { code, stdout } = await cli(["workspace", "update", body.id, "--replicas", "2"]);
      expect(stdout).to.match(/^The spec is unchanged\.\nScaled in 0x[0-9a-f]{64}\.\n$/);
      expect(code).to.equal(0);
    });

    it("requires a key", async () => {
      const { code, stderr } = await runCli(["workspace", "update", "1"], { env: { NGPU_API: api.url } });
      expect(code).to.equal(1);
      expect(stderr).to.include("No API key is set.");
    });
  });

  describe("verify placement", () => {
    const verify = async (id: string) => {
      const { code, stdout } = await cli([
        "verify",
        "placement",
        id,
        "--database-url",
        api.market.urlAs("ngpu_match"),
        "--json",
      ]);
      return { code, replay: JSON.parse(stdout) as Replay };
    };

    it("recomputes a placement of the API and reports whether it is the same", async () => {
      const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
      await api.market.exported();
      const id = randomUUID();
      // As match writes it, but with a wrong node.
      await api.db.query(
        `insert into app.placement (request_id, workspace_id, replica, status, block_number, block_hash, position, node_id, ranking, refusals)
         select $1, $2, 0, 'answered', number, hash, 0, 99, '[]', '{"counts":{},"nearest":null}' from chain.head where tier = 'unsafe'`,
        [id, body.id],
      );
      const shown = await api.client.get(`/v1/placements/${id}`);
      expect(shown.body).to.deep.include({ id, workspaceId: body.id, nodeId: 99, excluded: [], position: 0 });
      const wrong = await verify(id);
      expect([wrong.code, wrong.replay.different]).to.deep.equal([2, ["nodeId", "ranking"]]);
      const { nodeId, ranking } = wrong.replay.recomputed;
      await api.db.query("update app.placement set node_id = $2, ranking = $3 where request_id = $1", [
        id,
        nodeId,
        JSON.stringify(ranking),
      ]);
      const right = await verify(id);
      expect([right.code, right.replay.same, right.replay.answered.nodeId]).to.deep.equal([0, true, nodeId]);
    });

    it("rejects unknown and invalid placement ids", async () => {
      const unknown = await cli([
        "verify",
        "placement",
        randomUUID(),
        "--database-url",
        api.market.urlAs("ngpu_match"),
      ]);
      expect(unknown.code).to.equal(1);
      expect(unknown.stderr).to.include("There is no placement");
      const other = await cli(["verify", "placement", "7"]);
      expect(other.stderr).to.include("7 is neither a lease nor the id of a placement");
    });
  });

  describe("node", () => {
    const owner = accounts.owner.address;
    let dir: string;
    let nodeId: number;
    before(async () => {
      dir = mkdtempSync(joinPath(tmpdir(), "ngpu-cli-"));
      writeFileSync(joinPath(dir, "wallet"), privateKeyOf("owner"), { mode: 0o600 });
      writeFileSync(joinPath(dir, "stranger"), generatePrivateKey(), { mode: 0o600 });
      nodeId = await addNode(api.chain, "owned", 1, undefined, owner);
    });
    after(() => rmSync(dir, { recursive: true }));

    const file = (name: string) => joinPath(dir, name);
    const read = (functionName: "walletOf" | "nodeKeyOf") =>
      api.chain.client.readContract({
        address: api.chain.deployment.contracts.ComputeNode,
        abi: computeNodeAbi,
        functionName,
        args: [nodeId],
      });

    it("prints the transaction that accepts a node, for a wallet elsewhere", async () => {
      const { code, stdout } = await cli(["node", "accept", String(nodeId), "--json"]);
      expect(code).to.equal(0);
      const { to, data } = JSON.parse(stdout) as { to: `0x${string}`; data: `0x${string}` };
      await api.chain.callAt("owner", to, data);
      expect(await read("walletOf")).to.equal(owner);
      const again = await cli(["node", "accept", String(nodeId)]);
      expect(again.code).to.equal(1);
      expect(again.stderr).to.include("asks for no wallet");
    });

    it("replaces the node's key with that of a file, from the wallet's own key file", async () => {
      const args = [
        "node",
        "set-key",
        String(nodeId),
        "--key-file",
        file("node.key"),
        "--wallet",
        file("wallet"),
      ];
      const { code, stdout } = await cli(args);
      expect(code).to.equal(0);
      const key = privateKeyToAccount(readFileSync(file("node.key"), "utf8").trim() as `0x${string}`);
      expect(stdout).to.include(`The key of node ${nodeId} is ${key.address}.`);
      expect(statSync(file("node.key")).mode & 0o777).to.equal(0o600);
      expect(await read("nodeKeyOf")).to.equal(key.address);
    });

    it("replaces the key of a running node by a transaction of its wallet, and keeps the previous one", async () => {
      const place = { dir: mkdtempSync(joinPath(dir, "node-")), name: "node" } as const;
      copyFileSync(file("node.key"), joinPath(place.dir, "node.key"));
      const env = { NGPU_API: api.url, NODE_DIR: place.dir };
      const command = () => runProgram("node-client/main.ts", ["key", "rotate", "--json"], { env });
      const { code, stdout, stderr } = await command();
      expect(code, stderr).to.equal(0);
      const { from, to, wallet, transaction } = JSON.parse(stdout) as KeyChange;
      expect(from).to.equal(await read("nodeKeyOf"));
      expect(wallet).to.equal(owner);
      expect((JSON.parse((await command()).stdout) as KeyChange).to, "a repeated command").to.equal(to);
      const isRegistered = async () => to === (await read("nodeKeyOf"));
      expect(await adoptNextKey(place, isRegistered)).to.equal(undefined);

      await api.chain.callAt("owner", transaction.to, transaction.data);
      expect(await adoptNextKey(place, isRegistered)).to.equal(to.toLowerCase());
      expect((await openIdentity(place)).address).to.equal(to);
      expect(readdirSync(place.dir)).to.include.members([`node.key.${from.toLowerCase()}`, "node.key"]);
      expect(await adoptNextKey(place, isRegistered)).to.equal(undefined);
    });

    it("revokes the node's key, but not for another wallet", async () => {
      const revoke = (wallet: string) =>
        cli(["node", "revoke-key", String(nodeId), "--wallet", file(wallet)]);
      expect((await revoke("stranger")).code).to.equal(1);
      expect((await revoke("wallet")).stdout).to.include(`The key of node ${nodeId} is revoked.`);
      expect(await read("nodeKeyOf")).to.match(/^0x0+$/);
    });
  });
});
