import { compactSignature, packProgress, packReport } from "@ngpu/protocol/packedReports";
import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, numberToHex, recoverAddress, zeroHash } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { runs } from "../../support/runs.ts";

const lease = {
  workspaceId: 0x0102030405060708n,
  replica: 0x090a,
  lease: 0x0b0c0d0e,
  fence: "0x1112131415161718",
} as const;
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const account = privateKeyToAccount(generatePrivateKey());
const sign = () => account.sign({ hash: zeroHash });

function errorCodeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof InputError) return error.code;
    throw error;
  }
  return undefined;
}

describe("packed reports", () => {
  it("have the layout that the contracts read", async () => {
    const signature = await sign();
    const detail: Hex = `0x${"ab".repeat(32)}`;
    const report = { ...lease, state: 0x19, detail, sequence: 0x1a1b1c, deadline: 0x1d1e1f202122n };
    expect(packReport(report, signature)).to.include({
      head: "0x0102030405060708090a0b0c0d0e1112131415161718191a1b1c1d1e1f202122",
      detail,
    });
    const progress = { ...lease, milestone: 0x19, deadline: 0x1a1b1c1d1e1f2021n };
    expect(packProgress(progress, signature).head).to.equal(
      "0x0102030405060708090a0b0c0d0e111213141516171800191a1b1c1d1e1f2021",
    );
  });

  it("keep the signer", async () => {
    const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(hashes, async (bytes) => {
        const hash: Hex = `0x${Buffer.from(bytes).toString("hex")}`;
        const { r, vs } = compactSignature(await account.sign({ hash }));
        const s = numberToHex(BigInt(vs) & (2n ** 255n - 1n), { size: 32 });
        const yParity = Number(BigInt(vs) >> 255n);
        expect(await recoverAddress({ hash, signature: { r, s, yParity } })).to.equal(account.address);
      }),
      { numRuns: runs(20) },
    );
  });

  it("reject another kind of signature and a deadline above 48 bits", async () => {
    const signature = await sign();
    const s = BigInt(`0x${signature.slice(66, 130)}`);
    const high =
      `${signature.slice(0, 66)}${(order - s).toString(16).padStart(64, "0")}${signature.slice(130)}` as Hex;
    const others = ["00", "01", "1d", "ff"].map((v) => `${signature.slice(0, -2)}${v}` as Hex);
    for (const other of ["0x", signature.slice(0, -2), `${signature}00`, high, ...others] as Hex[]) {
      expect(
        errorCodeOf(() => compactSignature(other)),
        other,
      ).to.equal("signature_invalid");
    }
    const report = { ...lease, state: 2, detail: zeroHash, sequence: 1, deadline: 2n ** 48n - 1n };
    expect(errorCodeOf(() => packReport(report, signature))).to.equal(undefined);
    const late = { ...report, deadline: 2n ** 48n };
    expect(errorCodeOf(() => packReport(late, signature))).to.equal("deadline_invalid");
  });
});
