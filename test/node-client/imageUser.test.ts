import { expect } from "chai";
import fc from "fast-check";
import { pack } from "tar-stream";
import type { Engine } from "../../node-client/docker/engine.ts";
import { resolveUser } from "../../node-client/docker/imageUser.ts";
import { uidIn } from "../../node-client/docker/passwd.ts";
import { runs } from "../support/runs.ts";

type Entry = {
  type: "file" | "symlink" | "directory" | "fifo";
  text?: string;
  linkname?: string;
  size?: number;
};

/** An engine whose containers have these files. It counts the containers that are left. */
function engineWith(files: Record<string, Entry>, failures = 0, statusCode?: number) {
  let left = 0;
  let failing = failures;
  const created: { User?: string }[] = [];
  const container = {
    id: "c",
    inspect: async () => ({ Id: "c" }),
    remove: async () => {
      left -= 1;
    },
    getArchive: async ({ path }: { path: string }) => {
      if (failing-- > 0) throw Object.assign(new Error("no"), { statusCode });
      const entry = files[path];
      if (entry === undefined) throw Object.assign(new Error("no such file"), { statusCode: 404 });
      const archive = pack();
      const { type, text = "", linkname = "", size = Buffer.byteLength(text) } = entry;
      if (type === "file") {
        const content = archive.entry({ name: "passwd", size });
        // The reader does not wait for a file that is too large.
        content.on("error", () => undefined);
        archive.on("error", () => undefined);
        if (size === Buffer.byteLength(text)) content.end(text);
        else content.write(text);
      } else archive.entry({ name: "passwd", type, linkname }, "");
      archive.finalize();
      return archive;
    },
  };
  const docker = {
    modem: {},
    createContainer: async (options: { User?: string }) => {
      left += 1;
      created.push(options);
      return container;
    },
    getContainer: () => container,
  };
  const engine = { docker, market: "aa", node: "0x0123456789" } as unknown as Engine;
  return { engine, left: () => left, created };
}

const image = (user: string) => ({ id: "sha256:1", user, sizeBytes: 1, platform: undefined, volumes: [] });
const file = (text: string): Record<string, Entry> => ({ "/etc/passwd": { type: "file", text } });
const nobody = "65534:65534";
const passwd = "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";

describe("the user that an image names", () => {
  const userWith = async (user: string, files: Record<string, Entry>) => {
    const { engine, left } = engineWith(files);
    const resolved = await resolveUser(engine, image(user), new Map());
    expect(left(), "containers left").to.equal(0);
    return resolved;
  };

  it("runs by its id, with the group that the image names", async () => {
    expect(await userWith("app", file(passwd))).to.equal("1000");
    expect(await userWith("app:staff", file(passwd))).to.equal("1000:staff");
  });

  it("is nobody when its name stands for root", async () => {
    expect(await userWith("toor", file(passwd))).to.equal(nobody);
    expect(await userWith("toor:app", file(passwd))).to.equal(nobody);
  });

  it("is found through symbolic links, which end at some point", async () => {
    const link = (linkname: string): Entry => ({ type: "symlink", linkname });
    const linked = { "/etc/passwd": link("../usr/share/passwd"), "/usr/share/passwd": link("/real") };
    const at = (text: string) => ({ ...linked, "/real": { type: "file", text } as const });
    expect(await userWith("app", at(passwd))).to.equal("1000");
    expect(await userWith("app", at("app:x:0:0\n"))).to.equal(nobody);
    expect(await userWith("app", { "/etc/passwd": link("passwd") })).to.equal(nobody);
    expect(await userWith("app", { "/etc/passwd": link("/nowhere") })).to.equal(nobody);
  });

  it("is nobody without a file that can be read", async () => {
    expect(await userWith("app", {})).to.equal(nobody);
    expect(await userWith("app", { "/etc/passwd": { type: "directory" } })).to.equal(nobody);
    expect(await userWith("app", { "/etc/passwd": { type: "fifo" } })).to.equal(nobody);
    const huge: Entry = { type: "file", text: passwd, size: 2 ** 40 };
    expect(await userWith("app", { "/etc/passwd": huge })).to.equal(nobody);
  });

  it("is asked for twice, since the engine fails on links that form a circle", async () => {
    const once = engineWith(file(passwd), 1, 500);
    expect(await resolveUser(once.engine, image("app"), new Map())).to.equal("1000");
    const always = engineWith(file(passwd), 9, 500);
    expect(await resolveUser(always.engine, image("app"), new Map())).to.equal(nobody);
    expect(always.left()).to.equal(0);
  });

  it("is nobody when it has no name that a line can have", async () => {
    for (const user of ["a b", "app\n", "ápp", "-app", "a/b", "4294967296x"]) {
      expect(await userWith(user, file(`${user}:x:1000:1000\n`)), user).to.equal(nobody);
    }
  });

  it("is read once for an image, again after an error of the engine, and never as root", async () => {
    const { engine, created, left } = engineWith(file(passwd), 1);
    const known = new Map<string, Promise<string>>();
    const failed = await resolveUser(engine, image("app"), known).catch((error) => error.code);
    expect(failed).to.equal("engine_unreachable");
    const both = await Promise.all([1, 2].map(() => resolveUser(engine, image("app"), known)));
    expect(both).to.deep.equal(["1000", "1000"]);
    expect(created.map(({ User }) => User)).to.deep.equal([nobody, nobody]);
    expect(left()).to.equal(0);
  });
});

describe("a passwd file", () => {
  it("gives root's id to no one, however a line is written", () => {
    const lines = ["", ":x", ":x:", ":x:0", ":x:00", ":x:+0", ":x:-1", ":x: 5", ":x:0x5", ":x:five"];
    for (const rest of [...lines, ":x:4294967296", ":x:2147483648", ":x:1e3", ":x:99999999999999999999"]) {
      expect(uidIn(`app${rest}`, "app"), rest).to.equal(undefined);
    }
    expect(uidIn("app:x:0:0\napp:x:5:5", "app")).to.equal(undefined);
    expect(uidIn("app:x:5:5\n \u00a0app:x:0:0", "app")).to.equal(undefined);
    expect(uidIn("\tapp:x:5:5\r\n", "app")).to.equal(5);
  });

  it("never gives an id that is not in a line of the name, whatever its bytes", () => {
    const line = fc
      .tuple(fc.constantFrom("app", "root", "x", ""), fc.constantFrom("0", "7", "-0", "9999999999", "", "\0"))
      .map(([name, uid]) => `${name}:x:${uid}:0`);
    const text = fc.array(fc.oneof(line, fc.string({ unit: "binary" }))).map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(text, (content) => {
        const uid = uidIn(content, "app");
        if (uid !== undefined) expect(uid).to.equal(7);
        if (content.includes("app:x:0")) expect(uid).to.equal(undefined);
      }),
      { numRuns: runs(500) },
    );
  });
});
