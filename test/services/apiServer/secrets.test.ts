import { createRequestKey, openSecrets, type PrivateRequestKey } from "@ngpu/protocol/sealedSecrets";
import { type SecretRequest, signSecretRequest } from "@ngpu/protocol/secrets";
import { type WorkspaceSpecRow, workspaceSpecColumns, workspaceSpecOf } from "@ngpu/protocol/workspaceSpec";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createSecretVault } from "../../../services/apiServer/secretVault.ts";
import { echo } from "../gateway/node.ts";
import { eventually } from "../support/context.ts";
import { nodeKey } from "../workspace/chain.ts";
import { assign, lose } from "../workspace/chainActions.ts";
import { type Client, signIn } from "./client.ts";
import { join, newWorkspace, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Listed = { secrets: { name: string; bytes: number; version: number }[] };
type Fault = { code: string; details?: { missing: string[] } };
type Answer = { sealed: Buffer | null; refused: string | null; names: string[] | null };

const value = "hf_a-value-that-nobody-else-may-read";

describe("apiServer: secrets", function () {
  this.timeout(240_000);
  let api: ApiMarket;
  let partner: Client;
  let nodeId: number;
  let otherId: number;
  const logs: string[] = [];
  const account = privateKeyToAccount(generatePrivateKey());

  before(async () => {
    api = await setup({ log: { write: (line: string) => void logs.push(line) }, limits: { writes: 1_000 } });
    ({ partner } = await join(api, account));
    nodeId = await api.addServingNode("node", echo("one"));
    otherId = await api.addServingNode("other", echo("two"));
  });
  after(() => api?.stop());

  const set = (secrets: Record<string, string>, by: Client = partner) =>
    by.post<Listed>("/v1/secrets", {
      secrets: Object.entries(secrets).map(([name, text]) => ({ name, value: text })),
    });
  const codeOf = ({ status, body }: { status: number; body: unknown }) => [status, (body as Fault).code];

  /** Asks as a node does, with match's role: what match stores. */
  const ask = async (
    ref: { workspaceId: bigint; replica: number; lease: number },
    by: { nodeId: number; signer: string; fence?: string },
  ) => {
    const { rows } = await api.db.query<{ fence: `0x${string}` }>(
      "select fence from chain.assignment where workspace_id = $1 and replica = $2 and lease = $3",
      [ref.workspaceId, ref.replica, ref.lease],
    );
    const { publicKey, privateKey } = await createRequestKey();
    const fence = (by.fence ?? rows[0]?.fence) as `0x${string}`;
    const request: SecretRequest = { ...ref, fence, key: publicKey };
    const signature = await signSecretRequest(nodeKey(by.signer), api.chain.deployment, request);
    await api.db.query(
      `insert into app.secret_request (node_id, workspace_id, replica, lease, fence, key, signature)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (node_id, workspace_id, replica, lease) do update
         set key = excluded.key, signature = excluded.signature, sealed = null, refused = null, asked_at = now()`,
      [by.nodeId, ref.workspaceId, ref.replica, ref.lease, fence, publicKey, signature],
    );
    await api.db.query("select pg_notify('app_changed', 'secret_request')");
    return { request, privateKey };
  };
  const answerTo = async (request: SecretRequest): Promise<Answer | undefined> => {
    const { rows } = await api.db.query<Answer>(
      "select sealed, refused, names from app.secret_request where key = $1",
      [request.key],
    );
    return rows[0];
  };
  const answered = (request: SecretRequest) =>
    eventually("the answer", async () => {
      const found = await answerTo(request);
      return found !== undefined && (found.sealed ?? found.refused) !== null ? found : undefined;
    });
  const opened = async ({
    request,
    privateKey,
  }: {
    request: SecretRequest;
    privateKey: PrivateRequestKey;
  }) => {
    const { sealed, refused } = await answered(request);
    expect(refused).to.equal(null);
    const values = await openSecrets(request, privateKey, sealed ?? Buffer.alloc(0));
    return Object.fromEntries([...values].map(([name, bytes]) => [name, String(bytes)]));
  };

  it("are listed by name, replaced by a new version, and deleted", async () => {
    expect((await set({ HF_TOKEN: value })).body.secrets[0]).to.include({ name: "HF_TOKEN", version: 1 });
    const again = await set({ HF_TOKEN: value, "key.pem": "-----" });
    expect(again.body.secrets.map(({ name, version }) => [name, version])).to.deep.equal([
      ["HF_TOKEN", 2],
      ["key.pem", 1],
    ]);
    const { body } = await partner.get<Listed>("/v1/secrets");
    expect(body.secrets.map(({ name, bytes }) => [name, bytes])).to.deep.equal([
      ["HF_TOKEN", value.length],
      ["key.pem", 5],
    ]);
    expect(JSON.stringify(body)).not.to.include(value);
    expect((await partner.delete("/v1/secrets/key.pem")).status).to.equal(200);
    expect(codeOf(await partner.delete("/v1/secrets/key.pem"))).to.deep.equal([404, "secret_not_found"]);
  });

  it("refuse bad names and values, set none of them, and repeat no value", async () => {
    const long = "x".repeat(65_537);
    for (const secrets of [
      [{ name: "../a", value }],
      [{ name: "A", value: long }],
      [{ name: "A", value: `${value}\0` }],
      [{ name: "A", value, base64: "" }],
      [{ name: "A" }],
      [{ name: "A", base64: `${value}!` }],
      [
        { name: "A", value },
        { name: "A", value },
      ],
      [
        { name: "B", value },
        { name: "1", value },
      ],
      [],
    ]) {
      const answer = await partner.post<Fault>("/v1/secrets", { secrets });
      expect(codeOf(answer)).to.deep.equal([400, "request_invalid"]);
      expect(JSON.stringify(answer.body)).not.to.include(value);
    }
    const { body } = await partner.get<Listed>("/v1/secrets");
    expect(body.secrets.map(({ name }) => name)).to.deep.equal(["HF_TOKEN"]);
  });

  it("are limited in number", async () => {
    const lone = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    const some = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`S${from + n}`, "v"]));
    for (let from = 0; from < 500; from += 50) expect((await set(some(from, 50), lone)).status).to.equal(200);
    expect(codeOf(await set({ S500: "v", S0: "changed" }, lone))).to.deep.equal([
      409,
      "secret_limit_reached",
    ]);
    expect((await set({ S0: "changed" }, lone)).body.secrets[0]?.version).to.equal(2);
  });

  it("belong to their wallet alone", async () => {
    const stranger = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    expect((await stranger.get<Listed>("/v1/secrets")).body.secrets).to.deep.equal([]);
    expect(codeOf(await stranger.delete("/v1/secrets/HF_TOKEN"))).to.deep.equal([404, "secret_not_found"]);
    await set({ HF_TOKEN: "the stranger's" }, stranger);
    expect((await partner.get<Listed>("/v1/secrets")).body.secrets[0]?.bytes).to.equal(value.length);
  });

  it("must exist before a workspace names them", async () => {
    const body = { ...newWorkspace, secrets: { env: ["HF_TOKEN", "NONE"] }, waitForNodes: true };
    const answer = await partner.post<Fault>("/v1/workspaces", body);
    expect(codeOf(answer)).to.deep.equal([409, "secret_not_found"]);
    expect(answer.body.details?.missing).to.deep.equal(["NONE"]);
  });

  it("reach the node of the highest lease, and nobody else", async () => {
    const named = { secrets: { env: ["HF_TOKEN"], files: ["cert"] } };
    await set({ cert: "certificate" });
    const ref = await runWorkspace(api, partner, { name: "node", nodeId, newWorkspace: named });
    const { rows } = await api.db.query<{ config: string }>(
      "select config from chain.workspace where workspace_id = $1",
      [ref.workspaceId],
    );
    expect(JSON.parse(rows[0]?.config ?? "").secrets).to.deep.equal({ env: ["HF_TOKEN"], files: ["cert"] });

    expect(await opened(await ask(ref, { nodeId, signer: "node" }))).to.deep.equal({
      HF_TOKEN: value,
      cert: "certificate",
    });

    const foreign = await ask(ref, { nodeId: otherId, signer: "other" });
    const onOtherFork = await ask(
      { ...ref, replica: 0 },
      { nodeId, signer: "node", fence: "0x0102030405060708" },
    );
    // The request of a node is dropped when another key has signed it.
    const forged = await ask(ref, { nodeId, signer: "other" });
    await eventually(
      "the forged request is dropped",
      async () => (await answerTo(forged.request)) === undefined,
    );
    expect((await answerTo(foreign.request))?.sealed ?? null).to.equal(null);
    expect((await answerTo(onOtherFork.request))?.sealed ?? null).to.equal(null);

    const workspace = await publicationOf(ref.workspaceId);
    await lose(api.chain, ref, workspace.spec);
    await api.market.exported();
    const decidedAt = await api.chain.client.getBlockNumber();
    await api.chain.pass(1);
    const next = await assign(api.chain, workspace, { nodeId: otherId, start: true, decidedAt });
    await api.market.exported();
    const late = await ask(ref, { nodeId, signer: "node" });
    expect(await opened(await ask(next, { nodeId: otherId, signer: "other" }))).to.include({
      HF_TOKEN: value,
    });
    expect((await answerTo(late.request))?.sealed ?? null).to.equal(null);
  });

  const publicationOf = async (workspaceId: bigint) => {
    const { rows } = await api.db.query<WorkspaceSpecRow>(
      `select ${workspaceSpecColumns} from chain.workspace where workspace_id = $1`,
      [workspaceId],
    );
    return { workspaceId, spec: workspaceSpecOf(rows[0] as WorkspaceSpecRow) };
  };

  it("are named as missing while they are deleted, and delivered once they are set again", async () => {
    const named = { secrets: { env: ["LATER"] } };
    await set({ LATER: "first" });
    const ref = await runWorkspace(api, partner, { name: "node", nodeId, newWorkspace: named });
    await partner.delete("/v1/secrets/LATER");
    const missing = await answered((await ask(ref, { nodeId, signer: "node" })).request);
    expect([missing.refused, missing.names]).to.deep.equal(["secret_missing", ["LATER"]]);
    await set({ LATER: "second" });
    expect(await opened(await ask(ref, { nodeId, signer: "node" }))).to.deep.equal({ LATER: "second" });
  });

  it("are renewed by an update, which replaces the replicas", async () => {
    const named = { secrets: { env: ["HF_TOKEN"] } };
    const ref = await runWorkspace(api, partner, { name: "node", nodeId, newWorkspace: named });
    const update = (body: unknown) => partner.post<Fault>(`/v1/workspaces/${ref.id}/update`, body);
    type Shown = { config: { secrets?: unknown } };
    const shown = async () =>
      (await partner.get<Shown>(`/v1/workspaces/${ref.id}`)).body.config.secrets ?? null;
    expect((await update({ renewSecrets: true })).status).to.equal(200);
    await api.market.exported();
    expect(await shown()).to.deep.equal({ env: ["HF_TOKEN"], files: [], revision: 1 });
    expect(codeOf(await update({ secrets: { env: ["NONE"] } }))).to.deep.equal([409, "secret_not_found"]);
    expect((await update({ secrets: null })).status).to.equal(200);
    await api.market.exported();
    expect(await shown()).to.equal(null);
    expect(codeOf(await update({ renewSecrets: true }))).to.deep.equal([409, "secrets_not_named"]);
  });

  it("are in clear nowhere in Postgres, in no log and not on the chain", async () => {
    const { rows: tables } = await api.db.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('app', 'chain')`,
    );
    const encoded = [value, Buffer.from(value).toString("base64"), Buffer.from(value).toString("hex")];
    expect(tables.length).to.be.greaterThan(50);
    for (const { name } of tables) {
      const { rows } = await api.db.query<{ text: string }>(`select t::text as text from ${name} t`);
      for (const { text } of rows)
        for (const each of encoded)
          expect(text.includes(each), `${name}: ${text.slice(0, 200)}`).to.equal(false);
    }
    expect(logs.join("")).to.include("secrets_sealed");
    for (const each of encoded) expect(logs.join("").includes(each)).to.equal(false);
  });

  it("stay when the API's key is replaced, and are encrypted by the new one", async () => {
    const before = "a-key-that-was-used-before-the-present-one";
    const place = { wallet: account.address.toLowerCase(), name: "HF_TOKEN" };
    const vault = createSecretVault([before]);
    await api.db.query(
      "update app.secret set sealed = $2, key_id = $3 where wallet = $1 and name = 'HF_TOKEN'",
      [place.wallet, vault.seal(place, Buffer.from("old")), vault.newestKeyId],
    );
    const next = createSecretVault([`${before}-next`, before]);
    const { rows } = await api.db.query<{ sealed: Buffer; key_id: string }>(
      "select sealed, key_id from app.secret where wallet = $1 and name = 'HF_TOKEN'",
      [place.wallet],
    );
    const [row] = rows;
    expect(String(next.open(place, row?.key_id ?? "", row?.sealed ?? Buffer.alloc(0)))).to.equal("old");
    const other = { ...place, name: "OTHER" };
    expect(() => next.open(other, row?.key_id ?? "", row?.sealed ?? Buffer.alloc(0))).to.throw();
    expect(() => createSecretVault([`${before}-next`]).open(place, row?.key_id ?? "", Buffer.alloc(40)))
      .to.throw()
      .with.property("code", "secret_key_missing");
  });
});
