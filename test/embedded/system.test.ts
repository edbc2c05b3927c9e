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

const unheardOf = ["first", "second"].map((name) => ({
  program: `ngpu-${name}-program`,
  packages: [`ngpu-${name}`],
}));

describe("programs of the system", () => {
  const before = process.env.PATH;
  afterEach(() => {
    process.env.PATH = before;
  });

  /** An apt-get that writes down what it is asked for, and installs by making the programs. */
  function standIn(dir: string, script: string): () => string[] {
    mkdirSync(join(dir, "bin"));
    const [log, bin] = [join(dir, "log"), join(dir, "bin")];
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

  const make = unheardOf.map(({ program }) => `touch ${program}; chmod +x ${program}`).join("; ");
  const install = "install -y --no-install-recommends ngpu-first ngpu-second";

  asRoot("are installed by one run for all that is missing, without fetching lists first", async () => {
    using dir = temporaryDir();
    const asked = standIn(dir.path, make);
    const result = await installPrograms({ programs: unheardOf, print: () => {} });
    expect(result.ok).to.equal(true);
    expect(asked()).to.deep.equal([install]);
  });

  asRoot("are installed again with fresh lists when the lists at hand are of no use", async () => {
    using dir = temporaryDir();
    const asked = standIn(
      dir.path,
      `case "$*" in *update*) touch fresh;; esac; [ -e fresh ] || exit 100; ${make}`,
    );
    const result = await installPrograms({ programs: unheardOf, print: () => {} });
    expect(result.ok).to.equal(true);
    expect(asked()).to.deep.equal([install, "update", install]);
  });

  asRoot("are installed once by two that want them at once", async () => {
    using dir = temporaryDir();
    const asked = standIn(dir.path, `sleep 0.3; ${make}`);
    const want = () => installPrograms({ programs: unheardOf, print: () => {} });
    const results = await Promise.all([want(), want()]);
    expect(results.map(({ ok }) => ok)).to.deep.equal([true, true]);
    expect(asked()).to.deep.equal([install]);
  });

  asRoot("that cannot be installed are told with what apt-get said", async () => {
    using dir = temporaryDir();
    standIn(dir.path, "echo there is no such package; exit 100");
    const result = await installPrograms({ programs: unheardOf, print: () => {} });
    expect(result.ok).to.equal(false);
    expect(result.output).to.include("there is no such package");
  });

  it("are those that nobody configured others in place of", () => {
    expect(marketPrograms({ REDIS_URL: "redis://one", DOCKER_HOST: "unix:///one" })).to.deep.equal([]);
    expect(marketPrograms({ DOCKER_HOST: "unix:///one" })).to.deep.equal([redisServer]);
    expect(missingPrograms([...unheardOf, { ...dockerEngine, program: "sh" }])).to.deep.equal(unheardOf);
  });
});

/** Only root installs, and keeps services from starting meanwhile. */
function asRoot(title: string, run: () => Promise<void>): void {
  it(title, async function () {
    if (process.getuid?.() !== 0) this.skip();
    await run();
  });
}
