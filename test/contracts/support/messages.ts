import * as typed from "@ngpu/contracts-sdk/typedData";
import { heartbeatAckTypes } from "@ngpu/protocol/heartbeatAck";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import { wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import { packProgress, packReport } from "@ngpu/protocol/packedReports";
import { type Hex, parseEther, parseSignature } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later } from "./market.ts";
import { nodeMessage, revealMessage, wavePostMessage } from "./messageParts.ts";
import { addNodes, bindWallet, type Node, nodeSpec, registrationOf } from "./nodes.ts";
import { zeroAddress, zeroHash } from "./reverts.ts";
import type { Fields, Market, Signed } from "./signed.ts";
import { authorizationOf, partner, place, state } from "./workspaces.ts";

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
      return {
        key: signer.address,
        wallet: zeroAddress,
        region: "0x4445" as Hex,
        deadline: later,
        consent: "0x" as Hex,
      };
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
  measurerConsentTypes: (market) => {
    const signer = keyOf("consenting wallet");
    const measurers = [keyOf("measurer one"), keyOf("measurer two")] as const;
    const of = (measurer: PrivateKeyAccount) => ({ key: measurer.address, wallet: signer.address });
    const domain = typed.domainOf(market.deployment, "Measure");
    const send = async (given: Fields, consent: Hex, account: Hex) => {
      const measurer = measurers.find(({ address }) => address === given.key) ?? measurers[0];
      const message = { ...of(measurer), region: "0x4445" as Hex, deadline: later };
      const types = typed.measurerRegistrationTypes;
      const primaryType = "MeasurerRegistration";
      const signature = await measurer.signTypedData({ domain, types, primaryType, message });
      const registration = { ...message, consent };
      return market.mined(
        market.measure.write.registerMeasurerBatch([[registration], [signature]], { account }),
      );
    };
    return {
      signer,
      domain,
      types: typed.measurerConsentTypes,
      primaryType: "MeasurerConsent",
      message: of(measurers[0]),
      second: { signer, message: of(measurers[1]) },
      repeated: "MeasurerKeyTaken",
      deadline: undefined,
      send,
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
