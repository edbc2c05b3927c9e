import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { readProfiles, writeProfiles } from "../../cli/shared/profiles.ts";
import { settingsOf } from "../../cli/shared/settings.ts";
import { temporaryDir } from "../embedded/setup.ts";

const stored = {
  current: "work",
  profiles: {
    work: { api: "https://market.test", key: "ngpu_work", wallet: "0x1" },
    home: { api: "http://127.0.0.1:8080/", key: "ngpu_home", wallet: "0x2" },
  },
};

describe("profiles", () => {
  it("are stored in a file that only its owner may read, also over one that others could read", () => {
    using dir = temporaryDir();
    const file = join(dir.path, "ngpu/profiles.json");
    writeProfiles(stored, file);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(statSync(join(dir.path, "ngpu")).mode & 0o777).to.equal(0o700);
    chmodSync(file, 0o644);
    writeProfiles(stored, file);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readProfiles(file)).to.deep.equal(stored);
  });

  it("are not read from a file that others can read, or that holds something else", () => {
    using dir = temporaryDir();
    const file = join(dir.path, "profiles.json");
    writeProfiles(stored, file);
    chmodSync(file, 0o640);
    expect(() => readProfiles(file)).to.throw(/Other users can read .* \(mode 640\)/);
    for (const text of ["", "[]", "{}", "null", '{"current": 1, "profiles": {}}']) {
      writeFileSync(file, text);
      chmodSync(file, 0o600);
      expect(() => readProfiles(file), text).to.throw(/is not a file of profiles/);
      expect(readFileSync(file, "utf8")).to.equal(text);
    }
  });
});

describe("settings", () => {
  let before: string | undefined;
  beforeEach(() => {
    before = process.env.XDG_CONFIG_HOME;
  });
  afterEach(() => {
    if (before === undefined) delete process.env.XDG_CONFIG_HOME;
    else process.env.XDG_CONFIG_HOME = before;
  });

  it("come from options, else from the profile, else from a market of npm start", () => {
    using dir = temporaryDir();
    process.env.XDG_CONFIG_HOME = dir.path;
    expect(settingsOf({})).to.deep.include({ api: "http://127.0.0.1:8080", key: undefined });
    mkdirSync(join(dir.path, "ngpu"));
    writeProfiles(stored);
    expect(settingsOf({})).to.deep.include({ api: "https://market.test", key: "ngpu_work" });
    expect(settingsOf({ profile: "home" })).to.deep.include({ key: "ngpu_home" });
    expect(settingsOf({ key: "ngpu_own" })).to.deep.include({ api: "https://market.test", key: "ngpu_own" });
    expect(() => settingsOf({ profile: "none" })).to.throw("There is no profile none.");
  });

  it("send the key of a profile to no other API", () => {
    using dir = temporaryDir();
    process.env.XDG_CONFIG_HOME = dir.path;
    writeProfiles(stored);
    expect(settingsOf({ api: "https://other.test" })).to.deep.include({ key: undefined, profile: undefined });
    expect(settingsOf({ api: "https://market.test/" })).to.deep.include({ key: "ngpu_work" });
  });
});
