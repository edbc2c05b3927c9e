import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isRetryable } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Machine } from "./machine.ts";
import { closedCalls, fileOf } from "./programs.ts";
import { startTenant, type Tenant } from "./tenants.ts";

/** Attacks on the kernel and on the machine's memory, disk and processes. */
export function processAttacks(machineOf: () => Machine): void {
  let tenant: Tenant;
  let other: Tenant;

  before(async () => {
    const { engine } = machineOf();
    [tenant, other] = [await startTenant(engine), await startTenant(engine)];
  });
  after(async () => {
    for (const { end } of [tenant, other]) await end();
  });

  it("has no privilege, and can get none", async () => {
    const script = `done(require("fs").readFileSync("/proc/self/status", "utf8"));`;
    const status = (await tenant.attack(script)) as string;
    const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1];
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(field(set), set).to.equal("0000000000000000");
    expect(field("NoNewPrivs")).to.equal("1");
    expect(field("Seccomp")).to.equal("2");
    expect(field("Uid")).to.equal("65534\t65534\t65534\t65534");
  });

  it("writes to no file of its image, of the kernel or of the machine", async () => {
    const paths = [
      "/file",
      "/attack/socket",
      "/etc/hosts",
      "/proc/sysrq-trigger",
      "/proc/sys/kernel/core_pattern",
    ];
    const script = `done(${JSON.stringify([...paths, "/proc/sys/vm/drop_caches", "/sys/kernel/file", "/dev/file"])}.map((path) => {
      try { require("fs").appendFileSync(path, "x"); return path; } catch (error) { return error.code; }
    }));`;
    const answers = (await tenant.attack(script)) as string[];
    for (const answer of answers) expect(answer).to.be.oneOf(["EROFS", "EACCES", "EPERM", "ENOENT"]);
  });

  it("reads no memory, keys or disks of the machine", async () => {
    const paths = [
      "/proc/kcore",
      "/proc/keys",
      "/proc/timer_list",
      "/proc/1/root/etc/shadow",
      "/dev/mem",
      "/dev/loop0",
    ];
    const script = `done({
      read: ${JSON.stringify(paths)}.map((path) => {
        try { return require("fs").readFileSync(path).length; } catch (error) { return error.code; }
      }),
      devices: require("fs").readdirSync("/dev"),
    });`;
    const { read, devices } = (await tenant.attack(script)) as {
      read: (number | string)[];
      devices: string[];
    };
    for (const answer of read) expect(answer).to.be.oneOf([0, "EACCES", "EPERM", "ENOENT"]);
    expect(devices.filter((name) => /^(loop|sd|vd|nvme|mem|kmsg|kvm)/.test(name))).to.deep.equal([]);
  });

  it("makes no system call that it does not need", async function () {
    if (process.arch !== "x64") this.skip();
    expect(await tenant.run("socket")).to.be.greaterThan(200);
    for (const [name, { errno }] of Object.entries(closedCalls))
      expect(await tenant.run(fileOf(name)), name).to.equal(errno);
  });

  it("has no more processes than its lease, and a fork bomb stops no other lease", async function () {
    if (process.arch !== "x64") this.skip();
    const bomb = tenant.run("fork-bomb");
    for (let checks = 0; checks < 3; checks += 1) {
      expect(machineOf().get(other.hostPort)).to.equal("served");
      const { pids_stats: pids } = await tenant.container.stats({ stream: false });
      expect(pids?.limit).to.equal(512);
      expect(pids?.current).to.be.within(1, 512);
    }
    await removed(tenant);
    await bomb.catch(() => undefined);
    tenant = await startTenant(machineOf().engine);
  });

  it("uses no more memory than its lease", async () => {
    const script = "const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1));";
    const failure = await tenant.attack(script).catch((error: Error) => error.message);
    expect(failure).to.match(/no result/);
    const { HostConfig } = await tenant.container.inspect();
    expect([HostConfig.Memory, HostConfig.MemorySwap]).to.deep.equal([256 << 20, 256 << 20]);
    expect(machineOf().get(other.hostPort)).to.equal("served");
  });

  it("writes no more to its temporary files than their size", async () => {
    const script = `done(["/tmp/file", "/dev/shm/file"].map((path) => {
      const { appendFileSync, rmSync } = require("fs");
      let mib = 0;
      try { for (; mib < 512; mib += 1) appendFileSync(path, Buffer.alloc(1 << 20)); }
      catch (error) { return [error.code, mib]; }
      finally { rmSync(path); }
      return ["no error", mib];
    }));`;
    const answers = (await other.attack(script)) as [string, number][];
    for (const [code, mib] of answers) {
      expect(code).to.equal("ENOSPC");
      expect(mib).to.be.within(1, 128);
    }
  });

  it("prints no more than the engine keeps", async () => {
    machineOf().get(other.hostPort, "/log");
    const { LogPath } = await other.container.inspect();
    const folder = dirname(LogPath);
    const sizes = readdirSync(folder).filter((name) => name.includes("-json.log"));
    const total = sizes.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(total).to.be.within(1, 31 << 20);
  });

  it("leaves no core dump", async () => {
    const script = `done(require("fs").readFileSync("/proc/self/limits", "utf8"));`;
    expect(await other.attack(script)).to.match(/^Max core file size\s+0\s+0\s/m);
  });
}

/** Removes a container whose processes take long to end. The engine then reports an error; the client tries again too. */
async function removed({ end }: Tenant): Promise<void> {
  for (;;) {
    try {
      return await end();
    } catch (error) {
      if (!isRetryable(error)) throw error;
    }
  }
}
