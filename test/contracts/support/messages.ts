import * as typed from "@ngpu/contracts-sdk/typedData";
import { heartbeatAckTypes } from "@ngpu/protocol/heartbeatAck";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import { wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import { packProgress, packReport } from "@ngpu/protocol/packedReports";
import {
  type Hex,
  parseEther,
  parseSignature,
  type TransactionReceipt,
  type TypedData,
  type TypedDataDomain,
} from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, type MarketFixture } from "./market.ts";
import { addMeasurer, type Drawn, requestDrawing, result } from "./measure.ts";
import { addNodes, bindWallet, type Node, nodeSpec, registrationOf } from "./nodes.ts";
import { zeroAddress, zeroHash } from "./reverts.ts";
import { mineBefore, openWave } from "./waves.ts";
import { authorizationOf, type loadPartner, partner, place, state } from "./workspaces.ts";

type Fields = Record<string, unknown>;

/** A signed message for a contract, and the call that submits it. */
export type Signed = {
  signer: PrivateKeyAccount;
  domain: TypedDataDomain;
  types: TypedData;
  primaryType: string;
  message: Fields;
  /** Another one that the same signer may sign too, or another signer's where each signs one. */
  second: { signer: PrivateKeyAccount; message: Fields };
  /** The error of a repeat. */
  repeated: string;
  /** The field with the last time at which it is valid; some have none. */
  deadline: "deadline" | "expiry" | undefined;
  /** True when a message after a later one of its kind is refused. */
  isSequence?: true;
  send: (message: Fields, signature: Hex, account: Hex) => Promise<TransactionReceipt>;
};

export type Market = Awaited<ReturnType<typeof loadPartner>>;

/** Every signed message of every contract, by the name of its types. */
export const messages: Record<string, (market: Market) => Promise<Signed> | Signed> = {
  registrationTypes: (market) => ({
    ...nodeMessage(market, keyOf("newcomer"), typed.registrationTypes, "Registration", "registerBatch"),
    message: registrationOf(keyOf("newcomer")),
    second: { signer: keyOf("another"), message: registrationOf(keyOf("another")) },
    repeated: "NodeKeyTaken",
  }),
  specUpdateTypes: (market) => {
    const message = {
      nodeId: 1,
      spec: nodeSpec,
      pricePerSecond: 7n,
      gpuName: "H",
      sequence: 1,
      deadline: later,
    };
    const { key } = market.nodes.first;
    return {
      ...nodeMessage(market, key, typed.specUpdateTypes, "SpecUpdate", "updateSpecBatch"),
      message,
      second: { signer: key, message: { ...message, sequence: 2 } },
    };
  },
  statusChangeTypes: (market) => {
    const message = { nodeId: 1, status: 3, sequence: 1, deadline: later };
    const { key } = market.nodes.first;
    return {
      ...nodeMessage(market, key, typed.statusChangeTypes, "StatusChange", "setStatusBatch"),
      message,
      second: { signer: key, message: { ...message, status: 2, sequence: 2 } },
    };
  },
  walletChangeTypes: (market) => {
    // Bound to none, so that the node's key keeps signing.
    const message = { nodeId: 1, wallet: zeroAddress, sequence: 1, deadline: later, consent: "0x" as Hex };
    const { key } = market.nodes.first;
    return {
      ...nodeMessage(market, key, typed.walletChangeTypes, "WalletChange", "setWalletBatch"),
      message,
      second: { signer: key, message: { ...message, sequence: 2 } },
    };
  },
  keyChangeTypes: async (market) => {
    const wallet = keyOf("owner of a key");
    await bindWallet(market, market.nodes.first, wallet);
    // Revokes the key, which needs no consent.
    const message = { nodeId: 1, key: zeroAddress, sequence: 2, deadline: later, consent: "0x" as Hex };
    return {
      ...nodeMessage(market, wallet, typed.keyChangeTypes, "KeyChange", "setKeyBatch"),
      message,
      second: { signer: wallet, message: { ...message, sequence: 3 } },
    };
  },
  walletConsentTypes: async (market) => {
    const signer = keyOf("accepting wallet");
    const nodes = await addNodes(market, ["consent one", "consent two"], { wallet: signer.address });
    const of = (node: Node | undefined) => ({
      key: (node as Node).key.address,
      wallet: signer.address,
      sequence: 0,
    });
    const send = (message: Fields, signature: Hex, account: Hex) => {
      const { id } = nodes.find(({ key }) => key.address === message.key) ?? (nodes[0] as Node);
      return market.mined(market.computeNode.write.acceptNodes([[id], [signature]], { account }));
    };
    return {
      signer,
      domain: typed.domainOf(market.deployment, "ComputeNode"),
      types: typed.walletConsentTypes,
      primaryType: "WalletConsent",
      message: of(nodes[0]),
      second: { signer, message: of(nodes[1]) },
      repeated: "NodeNotNominating",
      deadline: undefined,
      send,
    };
  },
  heartbeatAckTypes: async (market) => {
    const signer = keyOf("acknowledger");
    const slot = BigInt(Math.floor((await market.time.latest()) / 60));
    await market.time.increase(120);
    const tree = wordTreeOf(wordsOf([1, 2]));
    const other = wordTreeOf(wordsOf([2]));
    const receipt = { slot, root: tree.root };
    const send = (message: Fields, signature: Hex, account: Hex) => {
      // The root is that of the words: another one is another word's.
      const { words, ...proof } = message.root === tree.root ? tree.prove([0]) : other.prove([0]);
      const dispute = { slot: message.slot as bigint, words, ...proof, signature };
      return market.mined(market.computeNode.write.disputeHeartbeats([[dispute]], { account }));
    };
    return {
      signer,
      domain: typed.domainOf(market.deployment, "ComputeNode"),
      types: heartbeatAckTypes,
      primaryType: "HeartbeatAck",
      message: receipt,
      second: { signer, message: { ...receipt, slot: slot - 1n } },
      repeated: "HeartbeatsAlreadyDisputed",
      deadline: undefined,
      send,
    };
  },
  reportTypes: async (market) => {
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, state: state.ready, detail: zeroHash, sequence: 1, deadline: later };
    const signer = market.nodes.first.key;
    return {
      signer,
      domain: typed.domainOf(market.deployment, "DockerContract"),
      types: typed.reportTypes,
      primaryType: "Report",
      message,
      second: { signer, message: { ...message, state: state.stopped, sequence: 2 } },
      repeated: "SequenceStale",
      deadline: "deadline",
      isSequence: true,
      send: async (given, signature, account) => {
        const packed = packReport(given as typeof message, signature);
        return market.mined(market.docker.write.reportBatch([[packed]], { account }));
      },
    };
  },
  progressReportTypes: async (market) => {
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, milestone: 1, deadline: later };
    const signer = market.nodes.first.key;
    return {
      signer,
      domain: typed.domainOf(market.deployment, "Progress"),
      types: typed.progressReportTypes,
      primaryType: "ProgressReport",
      message,
      second: { signer, message: { ...message, milestone: 2 } },
      repeated: "ProgressNotIncreasing",
      deadline: "deadline",
      isSequence: true,
      send: async (given, signature, account) => {
        const packed = packProgress(given as typeof message, signature);
        return market.mined(market.progress.write.reportBatch([[packed]], { account }));
      },
    };
  },
  measurerRegistrationTypes: (market) => {
    const of = (signer: PrivateKeyAccount) => {
      return { key: signer.address, wallet: zeroAddress, region: "0x4445" as Hex, deadline: later };
    };
    const signer = keyOf("measurer one");
    const other = keyOf("measurer two");
    return {
      signer,
      domain: typed.domainOf(market.deployment, "Measure"),
      types: typed.measurerRegistrationTypes,
      primaryType: "MeasurerRegistration",
      message: of(signer),
      second: { signer: other, message: of(other) },
      repeated: "MeasurerKeyTaken",
      deadline: "deadline",
      send: (given, signature, account) => {
        const message = given as ReturnType<typeof of>;
        return market.mined(
          market.measure.write.registerMeasurerBatch([[message], [signature]], { account }),
        );
      },
    };
  },
  revealTypes: revealMessage,
  hardwareClaimTypes: async (market) => {
    const deadline = BigInt((await market.time.latest()) + 3_600);
    const message = { nodeId: 1, devices: [zeroHash], deadline };
    const signer = market.nodes.first.key;
    return {
      signer,
      domain: typed.domainOf(market.deployment, "ProofWaves"),
      types: typed.hardwareClaimTypes,
      primaryType: "HardwareClaim",
      message,
      second: { signer, message: { ...message, deadline: deadline + 1n } },
      repeated: "HardwareClaimStale",
      deadline: "deadline",
      isSequence: true,
      send: (given, signature, account) =>
        market.mined(market.waves.write.claimBatch([[given as typeof message], [signature]], { account })),
    };
  },
  wavePostTypes: wavePostMessage,
  authorizationTypes: (market) => {
    const message = { ...authorizationOf(market), nonce: 300n };
    return {
      signer: partner,
      domain: typed.domainOf(market.deployment, "Escrow"),
      types: typed.authorizationTypes,
      primaryType: "Authorization",
      message,
      second: { signer: partner, message: { ...message, nonce: 301n } },
      repeated: "NonceUsed",
      deadline: "expiry",
      send: (given, signature, account) =>
        market.mined(market.escrow.write.authorize([given as typeof message, signature], { account })),
    };
  },
  permitTypes: (market) => {
    const owner = partner.address;
    const spender = market.people.delegate;
    const message = { owner, spender, value: parseEther("3"), nonce: 0n, deadline: later };
    return {
      signer: partner,
      domain: { ...typed.domainOf(market.deployment, "Token"), name: "ngpu" },
      types: typed.permitTypes,
      primaryType: "Permit",
      message,
      second: { signer: partner, message: { ...message, nonce: 1n } },
      // The token counts nonces itself, so that a repeat is another message.
      repeated: "ERC2612InvalidSigner",
      deadline: "deadline",
      isSequence: true,
      send: (given, signature, account) => {
        const { deadline } = given as typeof message;
        const { r, s, v = 0n } = parseSignature(signature);
        const args = [owner, spender, message.value, deadline, Number(v), r, s] as const;
        return market.mined(market.token.write.permit(args, { account }));
      },
    };
  },
};

type NodeBatch = "registerBatch" | "updateSpecBatch" | "setStatusBatch" | "setWalletBatch" | "setKeyBatch";

function nodeMessage(
  market: MarketFixture,
  signer: PrivateKeyAccount,
  types: TypedData,
  primaryType: string,
  batch: NodeBatch,
) {
  return {
    signer,
    domain: typed.domainOf(market.deployment, "ComputeNode"),
    types,
    primaryType,
    repeated: "SequenceStale",
    ...(batch !== "registerBatch" && { isSequence: true as const }),
    deadline: "deadline" as const,
    send: (given: Fields, signature: Hex, account: Hex) =>
      market.mined(sendBatch(market, batch, given, signature, account)),
  };
}

function sendBatch(market: MarketFixture, batch: NodeBatch, given: Fields, signature: Hex, account: Hex) {
  const { write } = market.computeNode;
  const item = given as never;
  const signatures = [signature];
  if (batch === "registerBatch") return write.registerBatch([[item], signatures], { account });
  if (batch === "updateSpecBatch") return write.updateSpecBatch([[item], signatures], { account });
  if (batch === "setStatusBatch") return write.setStatusBatch([[item], signatures], { account });
  if (batch === "setKeyBatch") return write.setKeyBatch([[item], signatures], { account });
  return write.setWalletBatch([[item], signatures], { account });
}

/** A round in which two measurers are drawn, at the time of their reveals. */
async function revealMessage(market: Market): Promise<Signed> {
  const { measure, mined, time } = market;
  const domain = typed.domainOf(market.deployment, "Measure");
  const signers = [keyOf("measurer one"), keyOf("measurer two")] as const;
  const registrations = signers.map(({ address }) => {
    return { key: address, wallet: zeroAddress, region: "0x4445" as Hex, deadline: later };
  });
  const types = typed.measurerRegistrationTypes;
  const signatures = registrations.map((message, place) =>
    (signers[place] as PrivateKeyAccount).signTypedData({
      domain,
      types,
      primaryType: "MeasurerRegistration",
      message,
    }),
  );
  await measure.write.registerMeasurerBatch([registrations, await Promise.all(signatures)]);
  const { roundId, opensAt, drawn: draws } = await requestDrawing(market, 2);
  const drawn = [1, 2].map((measurerId) => {
    const draw = draws.find((one) => one.measurerId === measurerId);
    return { roundId, ...(draw as Drawn), result, deadline: later };
  }) as [Reveal, Reveal];
  await time.increaseTo(opensAt);
  return {
    signer: signers[0],
    domain,
    types: typed.revealTypes,
    primaryType: "Reveal",
    message: drawn[0],
    second: { signer: signers[1], message: drawn[1] },
    repeated: "MeasureAlreadySubmitted",
    deadline: "deadline",
    send: (given, signature, account) =>
      mined(measure.write.revealBatch([[given as Reveal], [signature]], { account })),
  };
}

/** A wave of two measurers, in the blocks of its first stage. */
async function wavePostMessage(market: Market): Promise<Signed> {
  for (const name of ["wave measurer 1", "wave measurer 2"]) await addMeasurer(market, name);
  const { waveId, chase } = await openWave(market);
  await mineBefore(market, chase + 1);
  const of = (measurerId: number) => ({ waveId, measurerId, stage: 0, root: zeroHash });
  return {
    signer: keyOf("wave measurer 1"),
    domain: typed.domainOf(market.deployment, "ProofWaves"),
    types: typed.wavePostTypes,
    primaryType: "WavePost",
    message: of(1),
    second: { signer: keyOf("wave measurer 2"), message: of(2) },
    repeated: "WaveStageNotNext",
    deadline: undefined,
    send: (given, signature, account) =>
      market.mined(
        market.waves.write.postBatch([[given as ReturnType<typeof of>], [signature]], { account }),
      ),
  };
}

type Reveal = Drawn & { roundId: bigint; result: typeof result; deadline: bigint };
