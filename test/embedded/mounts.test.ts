import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { unmountBelow } from "../../scripts/embedded/mounts.ts";
import { temporaryDir } from "./setup.ts";

describe("the mounts that a killed engine leaves", () => {
  it("are unmounted, so that its directory can be removed", async function () {
    if (process.getuid?.() !== 0) this.skip();
    using dir = temporaryDir();
    const outer = join(dir.path, "run of an engine");
    const inner = join(outer, "exec/netns");
    const beside = join(dir.path, "run of an engine too");
    const mount = (at: string) => {
      mkdirSync(at, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", at]);
    };
    for (const at of [outer, inner, beside]) mount(at);
    try {
      expect(() => rmSync(outer, { recursive: true })).to.throw("busy");
      await unmountBelow(outer);
      rmSync(outer, { recursive: true });
      expect(existsSync(outer)).to.equal(false);
      expect(() => rmSync(beside, { recursive: true }), "another engine's").to.throw("busy");
    } finally {
      await unmountBelow(dir.path);
    }
  });
});
