import * as typedData from "@ngpu/contracts-sdk/typedData";
import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { type Hex, parseSignature, serializeSignature, size } from "viem";
import { keyOf } from "./support/market.ts";
import { messages } from "./support/messages.ts";
import { faultsOf } from "./support/reverts.ts";
import type { Market, Signed } from "./support/signed.ts";
import { loadPartner } from "./support/workspaces.ts";

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const invalid = [
  "SignatureInvalid",
  "ERC2612InvalidSigner",
  "ECDSAInvalidSignatureS",
  "ECDSAInvalidSignature",
];
// The last one: a message without a packed form is refused before it is sent.
const unsigned = [...invalid, "HeartbeatAckUnsigned", "signature_invalid"];

function sign(
  { signer, domain, types, primaryType, message }: Signed,
  changes: Partial<Signed> = {},
): Promise<Hex> {
  const definition = { domain, types, primaryType, message, ...changes };
  return (changes.signer ?? signer).signTypedData({
    domain: definition.domain,
    types: definition.types,
    primaryType: definition.primaryType,
    message: definition.message,
  });
}

async function refused(
  signed: Signed,
  signature: Hex,
  market: Market,
  message = signed.message,
): Promise<void> {
  const sent = faultsOf(signed.send(message, signature, market.people.outsider));
  const faults = await sent.catch((error: unknown) => {
    if (error instanceof InputError) return [error.code];
    throw error;
  });
  expect(faults).to.have.length(1);
  expect(unsigned).to.include(faults[0]);
}

describe("Signed messages", () => {
  it("are all in the table", () => {
    const types = Object.keys(typedData).filter((name) => name.endsWith("Types"));
    // Sessions and requests of secrets are never sent to the chain; receipts have their types elsewhere.
    const onChain = types.filter((name) => !["sessionTypes", "secretRequestTypes"].includes(name));
    expect(Object.keys(messages)).to.have.members([...onChain, "heartbeatAckTypes"]);
  });

  for (const [name, make] of Object.entries(messages)) {
    describe(name.replace("Types", ""), () => {
      const load = async () => {
        const market = await loadPartner();
        return { market, signed: await make(market) };
      };

      it("is accepted from anyone, once", async () => {
        const { market, signed } = await load();
        const signature = await sign(signed);
        const { outsider, keeper } = market.people;
        expect(await faultsOf(signed.send(signed.message, signature, outsider))).to.deep.equal([]);
        expect(await faultsOf(signed.send(signed.message, signature, keeper))).to.deep.equal([
          signed.repeated,
        ]);
      });

      it("is valid for its own chain, contract, name and version only", async () => {
        const { market, signed } = await load();
        const others = [
          { chainId: 1 },
          { verifyingContract: market.people.outsider },
          { name: "ngpu another" },
          { version: "2" },
        ];
        for (const other of others) {
          const domain = { ...signed.domain, ...other };
          await refused(signed, await sign(signed, { domain }), market);
        }
      });

      it("is valid from its signer only, and only as it was signed", async () => {
        const { market, signed } = await load();
        await refused(signed, await sign(signed, { signer: keyOf("stranger") }), market);
        if (signed.deadline === undefined) return;
        const last = signed.message[signed.deadline];
        const message = {
          ...signed.message,
          [signed.deadline]: typeof last === "bigint" ? last - 1n : Number(last) - 1,
        };
        await refused(signed, await sign(signed), market, message);
      });

      it("has one signature: no high s, no other v, no other length", async () => {
        const { market, signed } = await load();
        const { r, s, yParity } = parseSignature(await sign(signed));
        const high = `0x${(order - BigInt(s)).toString(16).padStart(64, "0")}` as const;
        await refused(signed, serializeSignature({ r, s: high, yParity: 1 - yParity }), market);
        await refused(signed, serializeSignature({ r, s, yParity: 1 - yParity }), market);
        if (name === "permitTypes") return;
        const whole = serializeSignature({ r, s, yParity });
        for (const v of ["00", "01", "1d", "ff"])
          await refused(signed, `${whole.slice(0, -2)}${v}` as Hex, market);
        expect(size(whole)).to.equal(65);
        for (const other of ["0x", whole.slice(0, -2), `${whole}00`, `0x${"0".repeat(130)}`]) {
          await refused(signed, other as Hex, market);
        }
      });

      it("is valid up to its last second", async () => {
        const { market, signed } = await load();
        if (signed.deadline === undefined) return;
        const now = await market.time.latest();
        const at = (time: number) => {
          const value = typeof signed.message[signed.deadline ?? ""] === "bigint" ? BigInt(time) : time;
          return { ...signed.message, [signed.deadline ?? ""]: value };
        };
        const late = at(now);
        const lateSignature = await sign(signed, { message: late });
        const [fault] = await faultsOf(signed.send(late, lateSignature, market.people.outsider));
        expect(["SignatureExpired", "ERC2612ExpiredSignature"]).to.include(fault);
        const last = at(now + 60);
        const signature = await sign(signed, { message: last });
        await market.time.setNextBlockTimestamp(now + 60);
        expect(await faultsOf(signed.send(last, signature, market.people.outsider))).to.deep.equal([]);
      });

      it("is accepted in any order, from several relayers", async () => {
        const { market, signed } = await load();
        const { signer, message } = signed.second;
        const first = await sign(signed);
        const second = await sign(signed, { signer, message });
        const { outsider, keeper } = market.people;
        const isLate = signed.isSequence === true;
        const early = await faultsOf(signed.send(message, second, outsider));
        // The token's nonce count makes the second wait for the first; a second report invalidates the first.
        const permits = name === "permitTypes";
        expect(early).to.deep.equal(permits ? [signed.repeated] : []);
        const after = await faultsOf(signed.send(signed.message, first, keeper));
        expect(after).to.deep.equal(isLate && !permits ? [signed.repeated] : []);
      });
    });
  }
});
