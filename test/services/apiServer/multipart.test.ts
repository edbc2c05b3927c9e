import { expect } from "chai";
import fc from "fast-check";
import { fieldOf, shownParts, withField } from "../../../services/apiServer/multipart.ts";

/** A form as Node's own fetch sends it. */
async function encoded(fields: readonly (readonly [string, string | Uint8Array<ArrayBuffer>])[]) {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, new File([value], `${name}.bin`, { type: "application/octet-stream" }));
  }
  const request = new Response(form);
  const type = request.headers.get("content-type") ?? "";
  return { body: Buffer.from(await request.arrayBuffer()), type };
}

const decoded = (body: Buffer, type: string) =>
  new Response(body, { headers: { "content-type": type } }).formData();

describe("apiServer: bodies with files", () => {
  const sound = new Uint8Array([0, 13, 10, 45, 45, 255]);

  it("keep every byte but the value of the field, which is changed or left out", async () => {
    const value = fc
      .string({ unit: "binary", maxLength: 20 })
      .map((text) => text.replaceAll(/[\r\n\ud800-\udfff]/g, ""));
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 4 }), value, fc.nat(4), async (others, model, place) => {
        const rest: [string, string | Uint8Array<ArrayBuffer>][] = others.map((text, at) => [`f${at}`, text]);
        rest.push(["file", sound]);
        const at = Math.min(place, rest.length);
        const { body, type } = await encoded([...rest.slice(0, at), ["model", model], ...rest.slice(at)]);
        expect(fieldOf(body, type, "model")).to.equal(model);
        expect(withField(body, type, "model", model).equals(body)).to.equal(true);
        const changed = await decoded(withField(body, type, "model", "whisper"), type);
        expect(changed.getAll("model")).to.deep.equal(["whisper"]);
        const without = withField(body, type, "model", undefined);
        const form = await decoded(without, type);
        expect([...form.keys()].sort()).to.deep.equal(rest.map(([name]) => name).sort());
        const file = form.get("file") as unknown as Blob;
        expect([...new Uint8Array(await file.arrayBuffer())]).to.deep.equal([...sound]);
        expect(fieldOf(without, type, "model")).to.equal(undefined);
      }),
      { numRuns: 20 },
    );
  });

  it("show their fields, and the sizes of their files", async () => {
    const { body, type } = await encoded([
      ["model", "1"],
      ["file", sound],
    ]);
    expect(shownParts(body, type)).to.deep.equal({
      fields: [["model", "1"]],
      files: [{ name: "file", bytes: 6 }],
    });
  });

  it("that are cut, without a boundary or with another are refused", async () => {
    const { body, type } = await encoded([["model", "1"]]);
    const refused: [Buffer, string][] = [
      ...Array.from({ length: body.length - 4 }, (_, at): [Buffer, string] => [body.subarray(0, at), type]),
      [body, "multipart/form-data"],
      [body, "multipart/form-data; boundary=other"],
      [Buffer.from("--b\r\nx: y\r\n\r\n1\r\n--b--"), "multipart/form-data; boundary=b"],
    ];
    for (const [bytes, as] of refused)
      expect(() => fieldOf(bytes, as, "model"), bytes.toString()).to.throw(/not valid multipart/);
  });
});
