import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { Wallet } from "ethers/wallet";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { backUpKey, importKey } from "../../node-client/keys/backup.ts";
import { openIdentity, openPrivateKey } from "../../node-client/keys/identity.ts";
import type { KeyPlace } from "../../node-client/keys/place.ts";
import { adoptNextKey } from "../../node-client/keys/rotation.ts";
import { containerOwner } from "../../node-client/prepare.ts";

describe("a node's key", () => {
  let dir: string;
  let place: KeyPlace;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-key-"));
    place = { dir: join(dir, "node"), name: "node" };
  });
  afterEach(() => {
    delete process.env.CREDENTIALS_DIRECTORY;
    rmSync(dir, { recursive: true });
  });

  const path = (name: string) => join(dir, name);
  const write = (name: string, text: string, mode = 0o600) => {
    writeFileSync(path(name), text, { mode });
    chmodSync(path(name), mode);
    return path(name);
  };
  const modeOf = (name: string) => statSync(path(name)).mode & 0o777;
  const codeOf = (failing: Promise<unknown>) =>
    failing.then(
      () => "no error",
      (error: unknown) => (error instanceof NgpuError ? error.code : String(error)),
    );

  it("is created once, as a keystore that wallets read, with a passphrase of its own", async () => {
    const { address } = await openIdentity(place);
    expect((await openIdentity(place)).address).to.equal(address);
    expect([modeOf("node/node.key"), modeOf("node/node.passphrase")]).to.deep.equal([0o600, 0o600]);
    const passphrase = readFileSync(path("node/node.passphrase"), "utf8").trim();
    const keystore = readFileSync(path("node/node.key"), "utf8");
    const wallet = await Wallet.fromEncryptedJson(keystore, passphrase);
    expect(wallet.address).to.equal(address);
    expect(keystore).not.to.include(wallet.privateKey.slice(2));
    expect((await openIdentity({ ...place, name: "measurer" })).address).not.to.equal(address);
  });

  it("is one key when two processes create it", async () => {
    const keys = await Promise.all([openPrivateKey(place), openPrivateKey(place)]);
    expect(keys[0]).to.equal(keys[1]);
  });

  it("is encrypted when it was stored in clear, and stays the same", async () => {
    const privateKey = generatePrivateKey();
    mkdirSync(place.dir);
    write("node/node.key", `${privateKey}\n`);
    expect(await openPrivateKey(place)).to.equal(privateKey);
    expect(readFileSync(path("node/node.key"), "utf8")).not.to.include(privateKey.slice(2));
    expect(await openPrivateKey(place)).to.equal(privateKey);
    expect(readdirSync(place.dir).sort()).to.deep.equal(["node.key", "node.passphrase"]);
  });

  it("is refused without its passphrase, with another, or one that others can read", async () => {
    await openIdentity(place);
    const passphrase = path("node/node.passphrase");
    const kept = readFileSync(passphrase, "utf8");
    const keystore = readFileSync(path("node/node.key"), "utf8");
    rmSync(passphrase);
    expect(await codeOf(openIdentity(place))).to.equal("node_passphrase_unusable");
    write("node/node.passphrase", "another");
    expect(await codeOf(openIdentity(place))).to.equal("node_key_unusable");
    write("node/node.passphrase", "\n");
    expect(await codeOf(openIdentity(place))).to.equal("node_passphrase_unusable");
    write("node/node.passphrase", kept, 0o644);
    expect(await codeOf(openIdentity(place))).to.equal("node_passphrase_unusable");
    expect(readFileSync(path("node/node.key"), "utf8")).to.equal(keystore);
  });

  for (const [what, text] of [
    ["text", "no key"],
    ["a keystore without its crypto", '{"version":3,"address":"00"}'],
    ["a keystore cut in the middle", '{"version":3,"address":"'],
    ["JSON of another kind", "[]"],
  ] as const) {
    it(`is refused, and not replaced, when the file has ${what}`, async () => {
      mkdirSync(place.dir);
      write("node/node.key", text);
      expect(await codeOf(openIdentity(place))).to.equal("node_key_unusable");
      expect(readFileSync(path("node/node.key"), "utf8")).to.equal(text);
    });
  }

  it("takes its passphrase from the systemd credential, else from the configured file", async () => {
    process.env.CREDENTIALS_DIRECTORY = dir;
    const passphraseFile = write("elsewhere", "of the file");
    const { address } = await openIdentity({ ...place, passphraseFile });
    const keystore = readFileSync(path("node/node.key"), "utf8");
    expect((await Wallet.fromEncryptedJson(keystore, "of the file")).address).to.equal(address);
    write("passphrase", "of the credential", 0o440);
    expect(await codeOf(openIdentity({ ...place, passphraseFile }))).to.equal("node_key_unusable");
    rmSync(path("node/node.key"));
    await openIdentity({ ...place, passphraseFile });
    rmSync(passphraseFile);
    expect(await codeOf(openIdentity(place))).to.equal("no error");
  });

  it("is backed up with another passphrase, and imported on another machine", async () => {
    const { address } = await openIdentity(place);
    const passphrase = write("chosen", "a passphrase that a person chose\n");
    expect(await backUpKey(place, path("backup.json"), passphrase)).to.equal(address);
    expect(modeOf("backup.json")).to.equal(0o600);
    expect(await codeOf(backUpKey(place, path("backup.json"), passphrase))).to.equal("key_file_exists");

    const other: KeyPlace = { dir: path("other"), name: "node" };
    const from = (options: { passphraseFile?: string; replace?: boolean } = {}) =>
      importKey(other, path("backup.json"), { replace: false, ...options });
    expect(await codeOf(from())).to.equal("key_file_unusable");
    await openIdentity(other);
    expect(await codeOf(from({ passphraseFile: passphrase }))).to.equal("key_file_exists");
    expect((await openIdentity(other)).address).not.to.equal(address);
    expect(await from({ passphraseFile: passphrase, replace: true })).to.equal(address);
    expect((await openIdentity(other)).address).to.equal(address);
  });

  it("is imported from a private key in clear", async () => {
    const privateKey = generatePrivateKey();
    const address = privateKeyToAddress(privateKey);
    expect(await importKey(place, write("clear", privateKey), { replace: false })).to.equal(address);
    expect((await openIdentity(place)).address).to.equal(address);
  });

  it("stays when no next key exists", async () => {
    await openIdentity(place);
    expect(await adoptNextKey(place, async () => true)).to.equal(undefined);
  });

  it("labels containers by the first key, since they outlast it", async () => {
    await openIdentity(place);
    const [first, next] = [`0x${"a".repeat(40)}`, `0x${"b".repeat(40)}`] as const;
    expect(containerOwner(place.dir, first)).to.equal(first);
    expect(containerOwner(place.dir, next)).to.equal(first);
  });
});
