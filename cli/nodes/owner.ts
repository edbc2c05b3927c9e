import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createChainClient } from "@ngpu/chain-reader/client";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, keyChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { FatalError, InputError, messageOf } from "@ngpu/runtime/errors";
import {
  BaseError,
  encodeFunctionData,
  type Hex,
  isAddressEqual,
  type PrivateKeyAccount,
  parseEventLogs,
  zeroAddress,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { openWallet } from "../account/chainWallet.ts";
import { readNetwork } from "../shared/network.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";

export type OwnerOptions = GlobalOptions & {
  rpcUrl?: string;
  /** File with the wallet's private key; undefined: the transaction is printed, to be sent by any wallet. */
  wallet?: string;
};

type Call = {
  functionName: "acceptNodes" | "setKeyBatch";
  args: readonly unknown[];
  /** What the call does, in the past tense. */
  done: string;
};

/** Seconds for which a printed transaction is valid. */
const validity = 86_400;

/** Accepts a node that asked for the wallet: from then on the node pays to it. */
export async function acceptNode(nodeId: number, options: OwnerOptions): Promise<void> {
  const market = await openMarket(options);
  const nominated = await market.read("nominatedWalletOf", nodeId);
  if (isAddressEqual(nominated as Hex, zeroAddress)) {
    throw new InputError(`Node ${nodeId} asks for no wallet.`, {
      code: "node_not_nominating",
      hint: "Set NODE_WALLET on the node. A node that already has a wallet needs nothing.",
    });
  }
  await act(market, options, {
    functionName: "acceptNodes",
    args: [[nodeId], ["0x"]],
    done: `Node ${nodeId} is bound to ${nominated}.`,
  });
}

/** Revokes the key of a node: no message of it counts any more, and nothing is placed on the node. */
export async function revokeNodeKey(nodeId: number, options: OwnerOptions): Promise<void> {
  const market = await openMarket(options);
  const change = await changeOf(market, nodeId, zeroAddress);
  await act(market, options, {
    functionName: "setKeyBatch",
    args: [[{ ...change, consent: "0x" }], ["0x"]],
    done: `The key of node ${nodeId} is revoked.`,
  });
}

/** Gives a node the key of a file, which is created if it does not exist. */
export async function replaceNodeKey(
  nodeId: number,
  options: OwnerOptions & { keyFile: string },
): Promise<void> {
  const { keyFile: file } = options;
  const market = await openMarket(options);
  const key = openKey(file);
  const change = await changeOf(market, nodeId, key.address);
  const consent = await key.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: keyChangeTypes,
    primaryType: "KeyChange",
    message: change,
  });
  await act(market, options, {
    functionName: "setKeyBatch",
    args: [[{ ...change, consent }], ["0x"]],
    done: `The key of node ${nodeId} is ${key.address}. On the node, run ngpu-node key import --replace with ${file}, then restart its client.`,
  });
}

type Market = Awaited<ReturnType<typeof openMarket>>;

async function openMarket(options: OwnerOptions) {
  const network = await readNetwork(apiOf(settingsOf(options)), options.rpcUrl);
  const { chainId, deployment } = network;
  const client = createChainClient(network);
  const contract = { address: deployment.contracts.ComputeNode, abi: computeNodeAbi } as const;
  const read = (functionName: "nominatedWalletOf" | "walletOf" | "sequencesOf", nodeId: number) =>
    client.readContract({ ...contract, functionName, args: [nodeId] });
  return { chainId, network, deployment, client, read };
}

/** @throws InputError `node_wallet_unbound` */
async function changeOf({ read }: Market, nodeId: number, key: Hex) {
  const [wallet, sequences] = await Promise.all([read("walletOf", nodeId), read("sequencesOf", nodeId)]);
  if (isAddressEqual(wallet as Hex, zeroAddress)) {
    throw new InputError(`Node ${nodeId} has no wallet, and only a wallet changes a node's key.`, {
      code: "node_wallet_unbound",
      hint: "Accept the node with its wallet first. A node without a wallet joins again with a new key.",
    });
  }
  const [, ownership] = sequences as readonly [number, number];
  const deadline = BigInt(Math.floor(Date.now() / 1_000) + validity);
  return { nodeId, key, sequence: ownership + 1, deadline };
}

/** Sends the call from the wallet, or prints it. */
async function act(market: Market, options: OwnerOptions, call: Call): Promise<void> {
  const { deployment, chainId } = market;
  const to = deployment.contracts.ComputeNode;
  const data = encodeFunctionData({ abi: computeNodeAbi, ...call } as never);
  if (options.wallet === undefined) {
    const transaction = { chainId, to, value: "0", data };
    const text = `Send this transaction from the node's wallet:\n${JSON.stringify(transaction, null, 2)}`;
    process.stdout.write(`${options.json ? JSON.stringify(transaction) : text}\n`);
    return;
  }
  const txHash = await send(market, readKey(options.wallet), { to, data });
  process.stdout.write(
    `${options.json ? JSON.stringify({ txHash }) : `${call.done}\nTransaction ${txHash}`}\n`,
  );
}

const shortOf = (error: unknown) =>
  (error instanceof BaseError ? error.shortMessage : messageOf(error)).split("\n")[0]?.replace(/\.$/, "");

/** @throws InputError `node_change_unsent` or `node_change_refused` */
async function send(
  { client, network }: Market,
  account: PrivateKeyAccount,
  transaction: { to: Hex; data: Hex },
): Promise<Hex> {
  const wallet = openWallet(account, network);
  const hash = await wallet.sendTransaction(transaction).catch((error: unknown) => {
    throw new InputError(`${account.address} cannot send the transaction: ${shortOf(error)}.`, {
      code: "node_change_unsent",
      hint: "The wallet needs ETH for gas on this chain. Without --wallet the transaction is printed instead.",
      cause: error,
    });
  });
  const { status, logs } = await client.waitForTransactionReceipt({ hash });
  const refusals = parseEventLogs({ abi: computeNodeAbi, eventName: "ItemRefused", logs });
  if (status === "success" && refusals.length === 0) return hash;
  throw new InputError(`The chain refused the change in transaction ${hash}.`, {
    code: "node_change_refused",
    hint: `Send it from the node's own wallet; this one is ${account.address}.`,
  });
}

/** @throws FatalError `key_file_unusable` */
function readKey(file: string): PrivateKeyAccount {
  try {
    const text = readFileSync(file, "utf8").trim();
    if (/^0x[0-9a-fA-F]{64}$/.test(text)) return privateKeyToAccount(text as Hex);
  } catch (error) {
    throw unusable(file, messageOf(error), error);
  }
  throw unusable(file, "it does not contain a private key");
}

function openKey(file: string): PrivateKeyAccount {
  if (existsSync(file)) {
    if ((statSync(file).mode & 0o077) !== 0) throw unusable(file, "it is readable by other users");
    return readKey(file);
  }
  try {
    writeFileSync(file, `${generatePrivateKey()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw unusable(file, messageOf(error), error);
  }
  return readKey(file);
}

function unusable(file: string, why: string, cause?: unknown): FatalError {
  return new FatalError(`The key file ${file} cannot be used: ${why}.`, {
    code: "key_file_unusable",
    hint: "Name a file of yours with 0x and 64 hexadecimal digits, mode 0600.",
    cause,
  });
}
