/** What an endpoint's refusal means for the request. */
export type Refusal =
  /** Too many requests in a time. The same request succeeds later. */
  | "rpc_rate_limited"
  /** The endpoint does not take several requests at once, or fewer. */
  | "rpc_batch_refused"
  /** The endpoint has deleted these old blocks, or never had them. */
  | "rpc_history_pruned"
  /** The endpoint does not have the block, yet or any more. */
  | "rpc_block_not_found"
  /** Too many blocks, logs or bytes. A smaller request succeeds. */
  | "rpc_limit";

/**
 * Providers share the codes -32000, -32005, -32600 and -32602 for all refusals, so their words decide. Each line names where words like
 * these come from.
 */
const words: readonly (readonly [Refusal, RegExp])[] = [
  // Alchemy "exceeded its compute units per second capacity", Infura "project ID request rate exceeded", QuickNode "50/second request
  // limit reached", Ankr and Cloudflare "too many requests", dRPC "rate limit exceeded"
  [
    "rpc_rate_limited",
    /rate.?limit|request rate|too many requests|requests? limit|daily request count|compute units|capacity limit|throughput|quota|credits/i,
  ],
  // dRPC "Batch of more than 3 requests are not allowed on free tier", geth "batch too large", Cloudflare "batch requests not supported"
  ["rpc_batch_refused", /\bbatch/i],
  // geth and reth "pruned history unavailable", geth "missing trie node", "required historical state unavailable", Erigon "data before …
  // is not available", QuickNode and dRPC "archive … is not available on this plan"
  [
    "rpc_history_pruned",
    /\bpruned?\b|missing trie node|historical (state|data)|history (is|has been|not|unavailable)|data before \S+ is not available|\barchive\b|state (is )?not available/i,
  ],
  // geth "header not found", "unknown block", reth "block not found"
  ["rpc_block_not_found", /(header|block)( for hash)? not found|unknown block/i],
  // Alchemy "Log response size exceeded", "up to a 10 block range", Infura "query returned more than 10000 results", QuickNode "eth_getLogs
  // is limited to a 10,000 range", Ankr "block range is too wide", Cloudflare "Max range: 800", dRPC "ranges over 10000 blocks are not
  // supported on freetier", Helios "Response is too big", Chainstack "Block range limit exceeded", anyone "query timeout exceeded"
  [
    "rpc_limit",
    /block range|range (is )?too|max(imum)?( block)? range|ranges? over|limited to|(response|result)s?( is)?( size| too)|more than [\d,]+ (results|logs|blocks)|too many (blocks|logs|results)|query time(out|d out)|memory capacity|limit exceeded|exceeds? .*(limit|range|maximum)/i,
  ],
];

const codes = new Map<unknown, Refusal>([
  // EIP-4444
  [4444, "rpc_history_pruned"],
  [429, "rpc_rate_limited"],
  [-32029, "rpc_rate_limited"],
  [-32005, "rpc_limit"],
  [-32602, "rpc_limit"],
]);

/** An endpoint may write any length. */
const maxLength = 1_000;

/** The meaning of an endpoint's error; undefined if it is no refusal of the request. */
export function refusalOf({ code, message }: { code?: unknown; message?: unknown }): Refusal | undefined {
  const text = String(message).slice(0, maxLength);
  return words.find(([, pattern]) => pattern.test(text))?.[0] ?? codes.get(code);
}
