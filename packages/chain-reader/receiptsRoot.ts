import { concat, type Hex, keccak256, toHex, toRlp } from "viem";

/** A transaction receipt in an RPC response. */
export type RawReceipt = {
  type?: Hex;
  status: Hex;
  cumulativeGasUsed: Hex;
  logsBloom: Hex;
  logs: { address: Hex; topics: Hex[]; data: Hex }[];
  /** Set for an OP-stack deposit. */
  depositNonce?: Hex | null;
  depositReceiptVersion?: Hex | null;
};

/** The receiptsRoot of a block: the Merkle-Patricia root over all its receipts, in order. */
export function receiptsRootOf(receipts: readonly RawReceipt[]): Hex {
  const entries = receipts.map((receipt, index) => ({
    path: [...toRlp(index === 0 ? "0x" : toHex(index)).slice(2)],
    value: encodeReceipt(receipt),
  }));
  return keccak256(entries.length === 0 ? toRlp("0x") : toRlp(nodeOf(entries)));
}

function encodeReceipt(receipt: RawReceipt): Hex {
  const { type = "0x0", status, cumulativeGasUsed, logsBloom, logs } = receipt;
  const deposit = [receipt.depositNonce, receipt.depositReceiptVersion].flatMap((value) =>
    value === undefined || value === null ? [] : [number(value)],
  );
  const fields = [
    number(status),
    number(cumulativeGasUsed),
    logsBloom,
    logs.map(({ address, topics, data }) => [address, topics, data]),
    ...deposit,
  ];
  const body = toRlp(fields as Rlp[]);
  return BigInt(type) === 0n ? body : concat([toHex(BigInt(type), { size: 1 }), body]);
}

type Rlp = Hex | Rlp[];
/** A value with the remaining hexadecimal digits of its key. */
type Entry = { path: string[]; value: Hex };

/** The Merkle-Patricia trie node over the entries. */
function nodeOf(entries: readonly Entry[]): Rlp[] {
  const [first] = entries as [Entry];
  if (entries.length === 1) return [compact(first.path, true), first.value];
  let shared = 0;
  while (entries.every(({ path }) => path.length > shared && path[shared] === first.path[shared])) shared++;
  if (shared > 0) return [compact(first.path.slice(0, shared), false), reference(below(entries, shared))];
  const branches = Array.from("0123456789abcdef", (digit): Rlp => {
    const under = entries.filter(({ path }) => path[0] === digit);
    return under.length === 0 ? "0x" : reference(below(under, 1));
  });
  return [...branches, entries.find(({ path }) => path.length === 0)?.value ?? "0x"];
}

function below(entries: readonly Entry[], digits: number): Entry[] {
  return entries.map(({ path, value }) => ({ path: path.slice(digits), value }));
}

/** A node of less than 32 bytes is embedded in its parent; a larger one is referenced by its hash. */
function reference(entries: readonly Entry[]): Rlp {
  const node = nodeOf(entries);
  const encoded = toRlp(node);
  return (encoded.length - 2) / 2 < 32 ? node : keccak256(encoded);
}

/** Hex-prefix encoding: the first digit flags a leaf and an odd number of digits. */
function compact(path: readonly string[], isLeaf: boolean): Hex {
  const odd = path.length % 2;
  const flag = (isLeaf ? 2 : 0) + odd;
  return `0x${flag.toString(16)}${odd === 1 ? "" : "0"}${path.join("")}`;
}

/** An integer for RLP: without leading zeros; 0 is empty. */
function number(value: Hex): Hex {
  return BigInt(value) === 0n ? "0x" : toHex(BigInt(value));
}
