import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadKeys } from "../../../scripts/start/keys.ts";

describe("the keys of a market on this machine", () => {
  it("keep those that a file has under earlier names", () => {
    const dir = mkdtempSync(join(tmpdir(), "ngpu-keys-"));
    const [receipts, taskReceipts, later] = ["11", "22", "33"].map((byte) => `0x${byte.repeat(32)}`);
    const path = join(dir, "keys.json");
    try {
      writeFileSync(path, JSON.stringify({ receipts, taskReceipts }));
      const { keys } = loadKeys(dir, undefined);
      expect([keys.acknowledger.key, keys.receiptsPoster.key]).to.deep.equal([receipts, taskReceipts]);
      const stored = JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
      expect([stored.acknowledger, stored.receiptsPoster]).to.deep.equal([receipts, taskReceipts]);
      writeFileSync(path, JSON.stringify({ receipts, acknowledger: later }));
      expect(loadKeys(dir, undefined).keys.acknowledger.key).to.equal(later);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
