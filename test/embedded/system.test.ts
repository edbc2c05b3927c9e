import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect } from "chai";
import {
  dockerEngine,
  installPrograms,
  marketPrograms,
  missingPrograms,
  redisServer,
} from "../../scripts/bootstrap/system.mjs";
import { temporaryDir } from "./setup.ts";

const unknown = ["first", "second"].map((name) => ({
  program: `ngpu-${name}-program`,
  packages: [`ngpu-${name}`],
}));

describe("system programs", () => {
  const before = process.env.PATH;
  afterEach(() => {
    process.env.PATH = before;
  });

  /** A fake apt-get that logs its arguments, and installs by creating the programs. */
  function fakeApt(dir: string, script: string): () => string[] {
    mkdirSync(join(dir, "bin"));
    const log = join(dir, "log");
    const bin = join(dir, "bin");
    writeFileSync(log, "");
    const text = `#!/bin/sh\necho "$*" >> ${log}\ncd ${bin}\n${script}\n`;
    writeFileSync(join(bin, "apt-get"), text, { mode: 0o755 });
    writeFileSync(join(bin, "dpkg"), "#!/bin/sh\n", { mode: 0o755 });
    process.env.PATH = [bin, before].join(delimiter);
    return () =>
      readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .map((line) => /(update|install .*)$/.exec(line)?.[0] ?? line);
  }

  const make = unknown.map(({ program }) => `touch ${program}; chmod +x ${program}`).join("; ");
  const install = "install -y --no-install-recommends ngpu-first ngpu-second";

  asRoot("are installed by one run for all missing ones, without fetching lists first", async () => {
    using dir = temporaryDir();
    const asked = fakeApt(dir.path, make);
    const result = await installPrograms({ programs: unknown, print: () => {} });
    expect(result.ok).to.equal(true);
    expect(asked()).to.deep.equal([install]);
  });

  asRoot("are installed with fresh lists when the existing lists do not suffice", async () => {
    using dir = temporaryDir();
    const asked = fakeApt(
      dir.path,
      `case "$*" in *update*) touch fresh;; esac; [ -e fresh ] || exit 100; ${make}`,
    );
    const result = await installPrograms({ programs: unknown, print: () => {} });
    expect(result.ok).to.equal(true);
    expect(asked()).to.deep.equal([install, "update", install]);
  });

  asRoot("are installed once by two concurrent processes", async () => {
    using dir = temporaryDir();
    const asked = fakeApt(dir.path, `sleep 0.3; ${make}`);
    const want = () => installPrograms({ programs: unknown, print: () => {} });
    const results = await Promise.all([want(), want()]);
    expect(results.map(({ ok }) => ok)).to.deep.equal([true, true]);
    expect(asked()).to.deep.equal([install]);
  });

  asRoot("that cannot be installed are reported with the output of apt-get", async () => {
    using dir = temporaryDir();
    fakeApt(dir.path, "echo there is no such package; exit 100");
    const result = await installPrograms({ programs: unknown, print: () => {} });
    expect(result.ok).to.equal(false);
    expect(result.output).to.include("there is no such package");
  });

  it("are those whose replacement is not configured", () => {
    expect(marketPrograms({ REDIS_URL: "redis://one", DOCKER_HOST: "unix:///one" })).to.deep.equal([]);
    expect(marketPrograms({ DOCKER_HOST: "unix:///one" })).to.deep.equal([redisServer]);
    expect(missingPrograms([...unknown, { ...dockerEngine, program: "sh" }])).to.deep.equal(unknown);
  });
});

/** Only root may install packages and prevent their services from starting. */
function asRoot(title: string, run: () => Promise<void>): void {
  it(title, async function () {
    if (process.getuid?.() !== 0) this.skip();
    await run();
  });
}
