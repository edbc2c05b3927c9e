import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createRequestKey, openSecrets, sealSecrets } from "@ngpu/protocol/sealedSecrets";
import { recoverSecretRequest, type SecretRequest, signSecretRequest } from "@ngpu/protocol/secrets";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { expect } from "chai";
import fc from "fast-check";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { deploymentDocument } from "../../services/support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);
const lease = { workspaceId: 7n, replica: 1, lease: 3, fence: "0x1122334455667788" } as const;

const requestOf = async (changes: Partial<SecretRequest> = {}) => {
  const { publicKey, privateKey } = await createRequestKey();
  return { request: { ...lease, key: publicKey, ...changes } as SecretRequest, privateKey };
};
const refusal = async (work: Promise<unknown>) => {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("secrets sealed for a lease", () => {
  it("open to the same bytes, whatever they are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), async (all) => {
        const { request, privateKey } = await requestOf();
        const values = new Map(all.map((bytes, at) => [`name_${at}`, bytes]));
        const opened = await openSecrets(request, privateKey, await sealSecrets(request, values));
        expect([...opened].map(([name, bytes]) => [name, [...bytes]])).to.deep.equal(
          [...values].map(([name, bytes]) => [name, [...bytes]]),
        );
      }),
      { numRuns: 20 },
    );
  });

  it("do not open for another key, lease, fork or replica, or after a change of any byte", async () => {
    const { request, privateKey } = await requestOf();
    const sealed = await sealSecrets(request, new Map([["TOKEN", Buffer.from("value")]]));
    const other = await requestOf();
    expect(await refusal(openSecrets(request, other.privateKey, sealed))).to.be.instanceOf(Error);
    for (const changes of [
      { lease: 4 },
      { replica: 0 },
      { workspaceId: 8n },
      { fence: "0x1122334455667789" },
      { key: other.request.key },
    ] as const) {
      const failed = await refusal(openSecrets({ ...request, ...changes }, privateKey, sealed));
      expect(failed, Object.keys(changes)[0]).to.be.instanceOf(Error);
    }
    for (const at of [0, 31, 32, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await refusal(openSecrets(request, privateKey, changed)), String(at)).to.be.instanceOf(Error);
    }
  });

  it("show neither a name nor a value", async () => {
    const { request } = await requestOf();
    const sealed = await sealSecrets(request, new Map([["TOKEN", Buffer.from("a long enough value")]]));
    for (const text of [
      "TOKEN",
      "a long enough value",
      Buffer.from("a long enough value").toString("base64"),
    ])
      expect(sealed.includes(text)).to.equal(false);
  });

  it("are asked for by a signature that covers the lease and the key", async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const { request } = await requestOf();
    const signature = await signSecretRequest(account, deployment, request);
    expect(await recoverSecretRequest(deployment, request, signature)).to.equal(account.address);
    const other = await requestOf();
    for (const changes of [
      { lease: 4 },
      { fence: "0x1122334455667789" },
      { key: other.request.key },
    ] as const) {
      const signer = await recoverSecretRequest(deployment, { ...request, ...changes }, signature);
      expect(signer, Object.keys(changes)[0]).not.to.equal(account.address);
    }
  });
});

describe("the secrets that a configuration names", () => {
  const parse = (secrets: unknown) =>
    workspaceConfig.safeParse({ image: "registry/image", ports: [80], secrets }).success;

  it("are variables and files with names that both can have", () => {
    expect(parse({ env: ["HF_TOKEN"], files: ["key.pem"], after: "safe", revision: 2 })).to.equal(true);
    expect(parse(undefined)).to.equal(true);
    for (const secrets of [
      {},
      { env: [] },
      { env: ["1A"] },
      { env: ["a.b"] },
      { env: ["A", "A"] },
      { files: ["../etc"] },
      { files: ["a/b"] },
      { files: [".."] },
      { files: [""] },
      { env: ["A"], after: "soon" },
      {
        env: Array.from({ length: 40 }, (_, n) => `A${n}`),
        files: Array.from({ length: 40 }, (_, n) => `B${n}`),
      },
    ])
      expect(parse(secrets), JSON.stringify(secrets)).to.equal(false);
  });
});
