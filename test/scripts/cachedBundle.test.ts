import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { cachedBundles } from "../../scripts/client/cachedBundle.ts";
import { temporaryDir } from "../embedded/setup.ts";

describe("the kept bundles of the node client", () => {
  it("are used until an input changes, and are then replaced", async () => {
    using dir = temporaryDir();
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(dir.path, file)), { recursive: true });
      writeFileSync(join(dir.path, file), text);
    };
    const cacheDir = join(dir.path, "cache");
    const bundles = () => cachedBundles(dir.path, cacheDir);
    write("package-lock.json", "{}");
    write("packages/one/text.ts", 'export const text = "first text";\n');
    write("node-client/main.ts", 'import { text } from "../packages/one/text.ts";\nconsole.log(text);\n');
    write("node-client/keys/keystoreProgram.ts", 'console.log("the keystore");\n');
    write("node-client/updates/updaterProgram.ts", 'console.log("the updater");\n');
    const first = await bundles();
    expect(first["client.mjs"]).to.include("first text");
    expect(first["keystore.mjs"]).to.include("the keystore");
    const [kept = ""] = readdirSync(cacheDir);
    const marked = { "client.mjs": "the kept client", "keystore.mjs": "k", "updater.mjs": "u" };
    writeFileSync(join(cacheDir, kept), JSON.stringify(marked));
    expect(await bundles()).to.deep.equal(marked);
    write("packages/one/text.ts", 'export const text = "second text";\n');
    expect((await bundles())["client.mjs"]).to.include("second text");
    expect(readdirSync(cacheDir)).to.have.length(1);
    write("package-lock.json", '{ "packages": {} }');
    expect((await bundles())["client.mjs"]).to.include("second text");
    expect(readdirSync(cacheDir)).to.have.length(1).and.not.include(kept);
  });
});
