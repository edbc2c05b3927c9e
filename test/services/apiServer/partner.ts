import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type WorkspaceSpecRow, workspaceSpecColumns, workspaceSpecOf } from "@ngpu/protocol/workspaceSpec";
import {
  encodeFunctionData,
  type PrivateKeyAccount,
  parseEther,
  parseSignature,
  type TypedDataDomain,
} from "viem";
import { assign, type LeaseRef } from "../workspace/chainActions.ts";
import { report } from "../workspace/nodeReports.ts";
import { type Client, signIn } from "./client.ts";
import type { ApiMarket } from "./setup.ts";

type TypedData = {
  typedData: {
    domain: TypedDataDomain;
    types: Record<string, { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
  };
};

/** Signs typed data of the API, as a wallet does. */
export async function signTyped(account: PrivateKeyAccount, { typedData }: TypedData) {
  const { EIP712Domain: _own, ...types } = typedData.types;
  return account.signTypedData({ ...typedData, types } as Parameters<typeof account.signTypedData>[0]);
}

/** Deposits tokens through the API. */
export async function deposit(partner: Client, account: PrivateKeyAccount, amount: bigint) {
  const { body } = await partner.get<TypedData>(`/v1/deposits/typed-data?amount=${amount}`);
  const { v, r, s } = parseSignature(await signTyped(account, body));
  const deadline = String(body.typedData.message.deadline);
  return partner.post("/v1/deposits", { amount: String(amount), deadline, v: Number(v), r, s });
}

/** Authorizes the API and returns the authorization's id. */
export async function authorize(partner: Client, account: PrivateKeyAccount, query = "") {
  const { body } = await partner.get<TypedData>(`/v1/authorizations/typed-data${query}`);
  const signature = await signTyped(account, body);
  return partner.post<{ authorizationId: string }>("/v1/authorizations", {
    authorization: body.typedData.message,
    signature,
  });
}

/** Creates a partner with a key, a deposit and an authorization. */
export async function join(
  api: Pick<ApiMarket, "client" | "chain">,
  account: PrivateKeyAccount,
  tokens = "10",
) {
  const partner = await signIn(api.client, account);
  const data = encodeFunctionData({
    abi: tokenAbi,
    functionName: "transfer",
    args: [account.address, parseEther(tokens)],
  });
  await api.chain.call("treasury", "Token", data);
  await deposit(partner, account, parseEther(tokens));
  const { body } = await authorize(partner, account);
  return { partner, authorizationId: body.authorizationId };
}

export const image = `registry.test/chat@sha256:${"ab".repeat(32)}`;

/** A workspace that every test node can run. */
export const newWorkspace = {
  image,
  ports: [8080],
  cpu: 0.5,
  memoryMib: 256,
  diskGib: 1,
  maxPricePerSecond: "1000000",
};

type Place = {
  name: string;
  nodeId: number;
  ports?: number[];
  /** Called with the block at which the placement is decided. */
  onDecided?: (block: bigint) => void;
};

/** Publishes a workspace and runs it on a node. */
export async function runWorkspace(
  api: ApiMarket,
  partner: Client,
  on: Place & { newWorkspace?: Record<string, unknown> },
): Promise<LeaseRef & { id: string }> {
  const { body, status } = await partner.post<{ id: string }>("/v1/workspaces", {
    ...newWorkspace,
    ...on.newWorkspace,
  });
  if (status !== 201) throw new Error(`Not published: ${JSON.stringify(body)}`);
  return { ...(await bringUp(api, body.id, on)), id: body.id };
}

/** Acts as match, dispense and the node: assigns a published workspace and reports it as running. */
export async function bringUp(api: ApiMarket, id: string, on: Place): Promise<LeaseRef> {
  const { rows } = await api.db.query<WorkspaceSpecRow>(
    `select ${workspaceSpecColumns} from chain.workspace where workspace_id = $1`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`Workspace ${id} is not exported.`);
  const workspace = { workspaceId: BigInt(id), spec: workspaceSpecOf(row) };
  const decidedAt = await api.chain.client.getBlockNumber();
  // The next block has the assignment.
  await api.chain.pass(1);
  on.onDecided?.(decidedAt);
  const ref = await assign(api.chain, workspace, { nodeId: on.nodeId, start: true, decidedAt });
  await report(api.chain, on.name, ref, "ready");
  const detail = Buffer.from((on.ports ?? [8000]).flatMap((port) => [port >> 8, port & 255]));
  await report(api.chain, on.name, ref, "running", detail.toString("latin1"));
  await api.market.exported();
  return ref;
}
