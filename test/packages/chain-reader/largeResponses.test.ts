import { readLogRange } from "@ngpu/chain-reader/logRange";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import { expect } from "chai";
import { createPublicClient, custom, type Hex, numberToHex, pad, ResponseBodyTooLargeError } from "viem";

const word = pad("0x1");
/** Blocks whose logs fit into a response that is read. */
const most = 6;

describe("an endpoint whose response is larger than what is read of one", () => {
  it("is asked for the halves of the range", async () => {
    const ranges: string[] = [];
    const request = async ({ params }: { params: [{ fromBlock: Hex; toBlock: Hex }] }) => {
      const [from, to] = [Number(params[0].fromBlock), Number(params[0].toBlock)];
      ranges.push(`${from}-${to}`);
      if (to - from >= most) throw new ResponseBodyTooLargeError({ maxSize: 1, size: 2 });
      return Array.from({ length: to - from + 1 }, (_, place) => ({
        address: pad("0x2", { size: 20 }),
        topics: [word],
        data: "0x",
        blockNumber: numberToHex(from + place),
        blockHash: word,
        transactionHash: word,
        logIndex: "0x0",
        removed: false,
      }));
    };
    const transport = custom({ request: request as never }, { retryCount: 0 });
    const client = createPublicClient({ transport }) as RpcClient;
    const filter = { addresses: [], topics: [] };
    const logs = await readLogRange(client, filter, { fromBlock: 1n, toBlock: 12n });
    expect(logs.map(({ blockNumber }) => Number(blockNumber))).to.deep.equal(
      Array.from({ length: 12 }, (_, place) => place + 1),
    );
    expect(ranges).to.deep.equal(["1-12", "1-6", "7-12"]);
  });
});
