import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import { uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import { expect } from "chai";
import { pad } from "viem";
import { verifyRefund } from "../../cli/audit/verifyRefund.ts";
import { verifySla } from "../../cli/audit/verifySla.ts";
import {
  begin,
  day,
  end,
  first,
  history,
  honest,
  leaf,
  owner,
  posted,
  rate,
  ref,
  refunded,
} from "./recordedDay.ts";
import { at, blockAt, type Placed } from "./recordedMarket.ts";
import { verified } from "./runVerify.ts";

describe("verify sla, from an RPC endpoint alone", () => {
  it("recomputes an honest root", async () => {
    const { code, output, text } = await verified([...history, posted(honest)], verifySla, String(day));
    expect(code).to.equal(0);
    expect(output).to.deep.include({ holds: true, checks: { root: true }, leaves: 3 });
    expect(text).to.match(/^Valid\.\n/);
  });

  it("names the node and its slots when a root has a flipped slot", async () => {
    const lie = honest.with(1, { kind: "node", day, nodeId: 2, presentSlots: 4, totalSlots: 6 });
    const { code, output, text } = await verified([...history, posted(lie)], verifySla, String(day));
    expect(code).to.equal(2);
    expect(output.checks).to.deep.equal({ root: false });
    expect(text).to.include("The root states that node 2 was present in 4 slots; the logs say 5 of 6.");
  });

  it("names the lease when a root has more downtime of it", async () => {
    const lie = honest.with(2, { kind: "lease", ...leaf, downSeconds: 26 });
    const { code, text } = await verified([...history, posted(lie)], verifySla, String(day));
    expect(code).to.equal(2);
    expect(text).to.include(
      "The root states that the node of lease 1/0/1 was down for 26 s; the logs say 16 s.",
    );
  });

  it("counts disputes, challenges and the corrected root that replaced a disabled one", async () => {
    const lie = honest.with(1, { kind: "node", day, nodeId: 2, presentSlots: 0, totalSlots: 6 });
    const corrected = honest.with(1, { kind: "node", day, nodeId: 2, presentSlots: 6, totalSlots: 6 });
    const logs = [
      ...history,
      at(blockAt(begin + 100), "ComputeNode", "HeartbeatsDisputed", {
        slot: BigInt(first + 5),
        word: 0,
        bits: wordsOf([2])[0]?.bits,
      }),
      posted(lie),
      at(end + 1, "ComputeNode", "UptimeDisabled", { day, root: uptimeTreeOf(lie).root }),
      posted(corrected, end + 2),
    ];
    expect((await verified(logs, verifySla, String(day))).code).to.equal(0);
    const challenge = { nodeId: 2, firstSlot: BigInt(first + 5), lastSlot: BigInt(first + 5) };
    const challenged = [...logs, at(blockAt(begin + 101), "ComputeNode", "PresenceChallenged", challenge)];
    expect((await verified(challenged, verifySla, String(day))).code).to.equal(2);
  });

  it("refuses what is no day, a day that is not over and a day without a root", async () => {
    const codeOf = (name: string, logs: Placed[]) =>
      verified(logs, verifySla, name).then(
        () => "",
        ({ code }: { code: string }) => code,
      );
    expect(await codeOf("-1", history)).to.equal("day_number_invalid");
    expect(await codeOf(String(day), history)).to.equal("day_not_over");
    expect(await codeOf(String(day), [...history, refunded()])).to.equal("uptime_root_not_found");
  });
});

describe("verify refund, from an RPC endpoint alone", () => {
  it("recomputes honest refunds, which may be lower than the price of the downtime", async () => {
    for (const refund of [refunded(), refunded({ amount: 79n })]) {
      const { code, output } = await verified([...history, refund], verifyRefund, String(day));
      expect(code).to.equal(0);
      expect(output.refunds).to.have.lengthOf(1);
    }
  });

  it("names the lease of a refund with another amount, time or owner, and of a second refund", async () => {
    const lies = [
      ["downSeconds", [refunded({ downSeconds: 17 })]],
      ["amount", [refunded({ amount: 81n })]],
      ["owner", [refunded({ owner: pad("0xbad", { size: 20 }) })]],
      ["once", [refunded({ amount: 40n }), refunded({ amount: 40n }, end + 10)]],
    ] as const;
    for (const [check, lie] of lies) {
      const { code, output, text } = await verified([...history, ...lie], verifyRefund, String(day));
      expect(code, check).to.equal(2);
      expect(output.checks).to.deep.include({
        downSeconds: true,
        amount: true,
        owner: true,
        once: true,
        [check]: false,
      });
      expect(text).to.match(new RegExp(`\nLease 1/0/1: refunded .*\\(${check}\\)\\.`));
    }
  });

  it("finds a refund of a lease whose node was not down", async () => {
    const other = { ...ref, workspaceId: 2n, owner, day, downSeconds: 10, amount: 50n };
    const opened = { workspaceId: 2n, nodeId: 1, replica: 0, lease: 1, authorizationId: 9n, rate, lock: 50n };
    const logs = [
      ...history,
      at(3, "Escrow", "LeaseOpened", opened),
      at(end + 9, "Escrow", "Refunded", other),
    ];
    const { code, output } = await verified(logs, verifyRefund, String(day));
    expect(code).to.equal(2);
    expect(output.checks).to.deep.include({ downSeconds: false, amount: false, owner: true });
  });
});
