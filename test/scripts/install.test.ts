import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

const root = join(import.meta.dirname, "../..");
const scripts = ["install_mcNode.sh", "install_measure.sh"];

function install(script: string, ...options: string[]) {
  const result = spawnSync("bash", [join(root, "scripts", script), ...options], { encoding: "utf8" });
  return { code: result.status, out: result.stdout, said: result.stderr };
}

describe("the install scripts", () => {
  for (const script of scripts) {
    it(`${script} is sound bash`, () => {
      const { status, stderr } = spawnSync("bash", ["-n", join(root, "scripts", script)], {
        encoding: "utf8",
      });
      expect([status, stderr]).to.deep.equal([0, ""]);
    });

    it(`${script} shows every step of a dry run, and takes none`, () => {
      const role = script === "install_measure.sh" ? "measurer" : "node";
      const before = existsSync(`/opt/ngpu/${role}`);
      const { code, out } = install(
        script,
        "--dry-run",
        "--api",
        "https://api.test",
        "--from",
        root,
        "--region",
        "DE",
      );
      expect(code).to.equal(0);
      expect(out).to.include(`cp -R ${root}/node-client /opt/ngpu/${role}.new/`);
      expect(out).to.include("NGPU_API=https://api.test");
      expect(out).to.include(role === "node" ? "NODE_REGION=DE" : "MEASURER_REGION=DE");
      expect(existsSync(`/opt/ngpu/${role}`)).to.equal(before);
      expect(existsSync(`/opt/ngpu/${role}.new`)).to.equal(false);
    });
  }

  it("gives only the compute node the Docker engine", () => {
    const options = ["--dry-run", "--api", "https://api.test", "--from", root];
    expect(install("install_mcNode.sh", ...options).out).to.include("--groups docker");
    expect(install("install_measure.sh", ...options).out).not.to.include("docker");
  });

  it("say what is wrong with what they are given", () => {
    const wrong: [string[], string][] = [
      [["--dry-run", "--from", root], "--api is missing"],
      [["--dry-run", "--api", "https://api.test"], "--from is missing"],
      [["--dry-run", "--api", "https://api.test", "--from", "http://far.test/a.tar.gz"], "plain http"],
      [["--dry-run", "--api", "$(id)", "--from", root], "cannot be"],
      [["--api"], "--api needs a value"],
      [["--nonsense", "1"], "no option --nonsense"],
      [["--role", "king"], "--role is node or measurer"],
    ];
    for (const [options, message] of wrong) {
      const { code, said } = install("install_mcNode.sh", ...options);
      expect([code, said.includes(message)], said).to.deep.equal([1, true]);
    }
  });
});
