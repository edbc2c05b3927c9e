import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { expect } from "chai";
import { createBodyDecoder } from "../../../services/apiServer/decodeBody.ts";

const limit = 1 << 20;

async function decoded(encoding: string, body: Buffer): Promise<{ ok: boolean | undefined; bytes: number }> {
  let bytes = 0;
  const decoder = createBodyDecoder(encoding, limit, (part) => {
    bytes += part.length;
  });
  for (let at = 0; at < body.length; at += 4_096) decoder?.add(body.subarray(at, at + 4_096));
  return { ok: await decoder?.end(), bytes };
}

describe("the decoder of a container's body", () => {
  it("passes on no more than the limit of a small body that unpacks to a large one", async () => {
    const large = Buffer.alloc(64 << 20);
    for (const [encoding, body] of [
      ["gzip", gzipSync(large)],
      ["zstd", zstdCompressSync(large)],
    ] as const) {
      const { ok, bytes } = await decoded(encoding, body);
      expect([ok, bytes <= limit]).to.deep.equal([false, true]);
    }
  });

  it("decodes zstd with the window of the web, and refuses one that asks for more memory", async () => {
    const text = Buffer.from("a text of the container");
    const compressed = (windowLog: number) =>
      zstdCompressSync(Buffer.concat([text, Buffer.alloc(9 << 20)]), {
        params: { [constants.ZSTD_c_windowLog]: windowLog },
      });
    expect(await decoded("zstd", zstdCompressSync(text))).to.deep.equal({ ok: true, bytes: text.length });
    expect((await decoded("zstd", compressed(27))).bytes).to.equal(0);
  });
});
