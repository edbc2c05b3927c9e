import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { blobPath, putBlob, readBlob, removeAbandoned } from "@ngpu/image-store/blobs";
import { type BuildProgress, buildAll } from "@ngpu/image-store/build";
import { chunkBytes, chunkHashes, chunkRoot } from "@ngpu/image-store/chunks";
import { digestOf } from "@ngpu/image-store/digest";
import { readIndex, tagManifests } from "@ngpu/image-store/index-file";
import { readManifest } from "@ngpu/image-store/manifest";
import { FatalError } from "@ngpu/runtime/errors";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { expect } from "chai";
import fc from "fast-check";
import { extract } from "tar-stream";
import { parseLdd } from "../../../packages/image-store/base.ts";
import { tarBytes } from "../../../packages/image-store/tar.ts";
import { makeCheckout, repoRoot } from "./helpers.ts";

/** The layer with OpenCL for CPUs is tested on an engine, where it runs (test/docker/wave.test.ts). */
const cpuProver = false;

describe("image building", function () {
  this.timeout(60_000);
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "ngpu-images-"));
  });
  after(() => rm(dir, { recursive: true }));

  describe("the workspaces of this checkout", () => {
    let storeDir: string;
    let seen: BuildProgress[];
    let images: Awaited<ReturnType<typeof buildAll>>;

    before(async () => {
      storeDir = join(dir, "store");
      seen = [];
      images = await buildAll({ repoRoot, storeDir, cpuProver, onProgress: (step) => seen.push(step) });
    });

    it("builds one image per workspace, tagged latest", async () => {
      expect(images.map((image) => image.reference)).to.deep.equal(["chat", "probe"]);
      const { repositories } = await readIndex(storeDir);
      for (const { repository, digest } of images)
        expect(repositories[repository]?.tags.latest).to.equal(digest);
    });

    it("builds byte-identical images in another store", async () => {
      const again = await buildAll({ repoRoot, storeDir: join(dir, "other"), cpuProver });
      expect(again).to.deep.equal(images);
    });

    it("packs the base once", async () => {
      const steps: BuildProgress[] = [];
      const again = await buildAll({ repoRoot, storeDir, cpuProver, onProgress: (step) => steps.push(step) });
      expect(seen[0]).to.include({ step: "base", cached: false });
      expect(steps[0]).to.include({ step: "base", cached: true });
      expect(again).to.deep.equal(images);
    });

    it("rebuilds a corrupt base", async () => {
      const base = images[0]?.layers[0];
      const path = blobPath(storeDir, base?.digest ?? digestOf(""));
      await writeFile(path, "damaged");
      const again = await buildAll({ repoRoot, storeDir, cpuProver });
      expect(again).to.deep.equal(images);
      expect(digestOf(await readFile(path))).to.equal(base?.digest);
    });

    it("reports the download size, and names every blob by its content", async () => {
      for (const image of images) {
        const manifest = await readManifest(storeDir, image.digest);
        const parts = [manifest.config, ...manifest.layers];
        expect(parts.reduce((sum, part) => sum + part.size, 0)).to.equal(image.sizeBytes);
        for (const part of parts) expect(await readBlob(storeDir, part.digest)).to.have.length(part.size);
      }
    });

    it("configures the user nobody, the port and the digests of the layers", async () => {
      for (const image of images) {
        const manifest = await readManifest(storeDir, image.digest);
        const config = JSON.parse((await readBlob(storeDir, manifest.config.digest)).toString());
        expect(config.config).to.include({ User: "65534:65534", WorkingDir: "/app" });
        expect(config.config.ExposedPorts).to.have.all.keys(`${image.port}/tcp`);
        const tars = await Promise.all(
          manifest.layers.map(async (layer) => digestOf(gunzipSync(await readBlob(storeDir, layer.digest)))),
        );
        expect(config.rootfs.diff_ids).to.deep.equal(tars);
      }
    });

    it("puts the prover into the probe's image alone, with the name of NVIDIA's driver", async () => {
      const namesOf = async (reference: string) => {
        const layer = images.find((image) => image.reference === reference)?.layers.at(-1);
        const names: string[] = [];
        const tar = extract();
        tar.on("entry", ({ name }, stream, next) => {
          names.push(name.replace(/^\.?\//, ""));
          stream.resume().on("end", next);
        });
        const ended = new Promise<void>((resolve) => tar.on("finish", () => resolve()));
        tar.end(gunzipSync(await readBlob(storeDir, layer?.digest ?? digestOf(""))));
        await ended;
        return names;
      };
      const prover = [
        "app/prover/bin/prover.mjs",
        "app/prover/bin/kernel.cl",
        "etc/OpenCL/vendors/nvidia.icd",
      ];
      expect(await namesOf("probe")).to.include.members(prover);
      expect(await namesOf("chat")).to.not.include.members(prover);
    });

    it("computes a chunk root against which a contract can verify a chunk", async () => {
      const [image] = images;
      if (!image) throw new Error("no image was built");
      const { root, chunks, totalBytes } = await chunkRoot({ storeDir, digest: image.digest });
      expect(totalBytes).to.equal(image.sizeBytes);
      expect(chunks).to.equal(Math.ceil(totalBytes / chunkBytes));
      // An independent implementation of the definition, over the entire image in memory.
      const manifest = await readManifest(storeDir, image.digest);
      const parts = [manifest.config, ...manifest.layers];
      const bytes = Buffer.concat(await Promise.all(parts.map((part) => readBlob(storeDir, part.digest))));
      const leaves = Array.from({ length: chunks }, (_, i): [number, string] => {
        const chunk = bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes);
        return [i, `0x${createHash("sha256").update(chunk).digest("hex")}`];
      });
      const tree = StandardMerkleTree.of(leaves, ["uint32", "bytes32"]);
      expect(root).to.equal(tree.root);
      const last = leaves[chunks - 1] ?? leaves[0];
      if (!last) throw new Error("no chunk");
      expect(StandardMerkleTree.verify(root, ["uint32", "bytes32"], last, tree.getProof(last))).to.equal(
        true,
      );
    });
  });

  it("hashes the same chunks for any split of the stream", async () => {
    const bytes = Buffer.alloc(2 * chunkBytes + 5, "ngpu");
    const expected = await chunkHashes([bytes]);
    expect(expected.hashes).to.have.length(3);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 4 }), async (cuts) => {
        const marks = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = marks.slice(1).map((mark, i) => bytes.subarray(marks[i], mark));
        expect(await chunkHashes(pieces)).to.deep.equal(expected);
      }),
      { numRuns: 10 },
    );
  });

  it("changes the digest when a file of the workspace changes", async () => {
    const digests: string[] = [];
    for (const text of ["1;\n", "2;\n"]) {
      const root = await makeCheckout(join(dir, "changing"), { "server.ts": text });
      const [image] = await buildAll({ repoRoot: root, storeDir: join(dir, "changing-store") });
      digests.push(image?.digest ?? "");
    }
    expect(digests[0]).to.not.equal(digests[1]);
    const { repositories } = await readIndex(join(dir, "changing-store"));
    // A workspace pinned to the older digest can still be pulled.
    expect(repositories["ngpu/sample"]?.manifests).to.deep.equal(digests);
  });

  it("rejects an invalid image.json, naming the file and the field", async () => {
    const root = await makeCheckout(join(dir, "wrong"), { "server.ts": "" }, { port: 0 });
    const failure = await failureOf(buildAll({ repoRoot: root, storeDir: join(dir, "wrong-store") }));
    expect(failure.code).to.equal("image_source_invalid");
    expect(failure.message).to.include("image.json").and.to.include("port");
  });

  it("rejects a symbolic link in a workspace, which could leak any file of this machine", async () => {
    const root = await makeCheckout(join(dir, "linked"), { "server.ts": "" });
    await symlink("/etc/shadow", join(root, "images/sample/secret.txt"));
    const failure = await failureOf(buildAll({ repoRoot: root, storeDir: join(dir, "linked-store") }));
    expect(failure.code).to.equal("image_source_invalid");
  });

  it("gives a hint when the Node binary is not installed", async () => {
    const root = join(dir, "bare");
    await mkdir(join(root, "images"), { recursive: true });
    const failure = await failureOf(buildAll({ repoRoot: root, storeDir: join(dir, "bare-store") }));
    expect(failure.code).to.equal("node_binary_not_found");
    expect(failure.hint).to.include("npm install");
  });

  it("writes archives that tar reads, without timestamps and owners", async () => {
    const entries = [
      { kind: "bytes", path: "/b/file", mode: 0o644, bytes: Buffer.from("hello") },
      { kind: "directory", path: "/a", mode: 0o1777 },
      { kind: "directory", path: "/data", mode: 0o755, owner: 65534 },
    ] as const;
    const tar = await buffer(tarBytes(entries));
    const again = await buffer(tarBytes(entries.toReversed()));
    expect(tar.equals(again)).to.equal(true);
    const reading = extract();
    const found: unknown[] = [];
    reading.on("entry", ({ name, mode, uid, gid, mtime }, stream, next) => {
      found.push([name, mode, uid, gid, mtime?.getTime()]);
      stream.on("end", () => next());
      stream.resume();
    });
    reading.end(tar);
    await new Promise((resolve, reject) =>
      reading.on("finish", () => resolve(undefined)).on("error", reject),
    );
    expect(found).to.deep.equal([
      ["a/", 0o1777, 0, 0, 0],
      ["b/", 0o755, 0, 0, 0],
      ["b/file", 0o644, 0, 0, 0],
      ["data/", 0o755, 65534, 65534, 0],
    ]);
    const path = join(dir, "sample.tar");
    await writeFile(path, tar);
    const { stdout } = await promisify(execFile)("tar", ["xOf", path, "b/file"]);
    expect(stdout).to.equal("hello");
  });
});

describe("blob store", () => {
  let storeDir: string;

  before(async () => {
    storeDir = await mkdtemp(join(tmpdir(), "ngpu-blobs-"));
  });
  after(() => rm(storeDir, { recursive: true }));

  it("rejects bytes with another digest, and stores nothing", async () => {
    const expected = digestOf("right");
    const failure = await failureOf(putBlob({ storeDir, source: [Buffer.from("wrong")], expected }));
    expect(failure.code).to.equal("digest_mismatch");
    expect((await failureOf(readBlob(storeDir, expected))).code).to.equal("blob_not_found");
    expect((await failureOf(readBlob(storeDir, digestOf("wrong")))).code).to.equal("blob_not_found");
  });

  it("detects a blob that was corrupted on disk", async () => {
    const { digest } = await putBlob({ storeDir, source: [Buffer.from("whole")] });
    await writeFile(blobPath(storeDir, digest), "whale");
    expect((await failureOf(readBlob(storeDir, digest))).code).to.equal("digest_mismatch");
  });

  it("leaves no partial blob when the source fails", async () => {
    async function* broken() {
      yield Buffer.from("some");
      throw new Error("line cut");
    }
    const failure = await putBlob({ storeDir, source: broken() }).catch((error: Error) => error);
    expect(failure).to.be.instanceOf(Error).with.property("message", "line cut");
    expect((await failureOf(readBlob(storeDir, digestOf("some")))).code).to.equal("blob_not_found");
  });

  it("removes files of killed writers, but not those still being written", async () => {
    const [old, young] = ["incoming-old", "incoming-young"].map((name) => join(storeDir, "blobs", name));
    if (!old || !young) throw new Error("two files");
    await writeFile(old, "");
    await writeFile(young, "");
    await utimes(old, 0, 0);
    await removeAbandoned(storeDir, Date.now());
    const left = (await readdir(join(storeDir, "blobs"))).filter((name) => name.startsWith("incoming-"));
    expect(left).to.deep.equal(["incoming-young"]);
  });

  it("rejects an invalid index", async () => {
    const other = join(storeDir, "other");
    await mkdir(other);
    await writeFile(
      join(other, "index.json"),
      '{"version":1,"repositories":{"a":{"tags":{"x":"../etc"},"manifests":[]}}}',
    );
    expect((await failureOf(readIndex(other))).code).to.equal("image_store_invalid");
  });

  it("moves a tag and keeps the earlier manifest", async () => {
    const one = digestOf("one");
    const two = digestOf("two");
    for (const digest of [one, two, two])
      await tagManifests(storeDir, [{ repository: "r", tag: "latest", digest }]);
    const { repositories } = await readIndex(storeDir);
    expect(repositories.r).to.deep.equal({ tags: { latest: two }, manifests: [one, two] });
  });
});

describe("parsing the output of ldd", () => {
  it("returns the libraries and the loader, without the kernel's vdso", () => {
    const output = [
      "\tlinux-vdso.so.1 (0x00007f4eab0f8000)",
      "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f4eaad20000)",
      "\t/lib64/ld-linux-x86-64.so.2 (0x00007f4eab0fa000)",
      "",
    ].join("\n");
    expect(parseLdd(output)).to.deep.equal([
      "/lib/x86_64-linux-gnu/libm.so.6",
      "/lib64/ld-linux-x86-64.so.2",
    ]);
  });

  it("names a missing library", () => {
    expect(() => parseLdd("\tlibatomic.so.1 => not found\n")).to.throw("libatomic.so.1");
  });
});

async function failureOf(work: Promise<unknown>): Promise<FatalError> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof FatalError) return failure;
  throw new Error(`expected a FatalError, got ${String(failure)}`);
}
