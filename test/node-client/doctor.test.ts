import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { type ProblemCode, problems } from "../../node-client/doctor/problems.ts";
import { block, Machine } from "./doctorWorld.ts";

type Seed = (machine: Machine) => unknown;
/** A problem as it is put into the world, and what its cure changes there. */
type Case = { code: ProblemCode; seed: Seed; cure: Seed; title?: string };

const uuid = "GPU-5f1e2d3c-0000-4000-8000-000000000001";
const nvidia = (rows: Record<string, string>, otherwise = "") =>
  `case "$*" in\n${Object.entries(rows)
    .map(([asked, printed]) => `*"${asked}"*) printf '%s\\n' '${printed}' ;;`)
    .join("\n")}\n*) printf '%s' '${otherwise}' ;;\nesac`;
/** One healthy card. */
const card = {
  "query-gpu=name": `NVIDIA GeForce RTX 4090, ${uuid}, 24564, 8.9`,
  "mig.mode": `${uuid}, [N/A]`,
  "query-gpu=uuid,ecc": `${uuid}, 0`,
  "query-gpu=uuid,temperature": `${uuid}, 41, Not Active`,
  "query-gpu=uuid --": uuid,
  "query-compute": "",
  "-L": `GPU 0: NVIDIA GeForce RTX 4090 (UUID: ${uuid})`,
};
const withCard: Seed = (machine) => {
  machine.info.Runtimes = { runc: {}, nvidia: {} } as never;
  machine.program("nvidia-smi", nvidia(card));
};
const cardWith =
  (rows: Record<string, string>): Seed =>
  (machine) => {
    withCard(machine);
    machine.program("nvidia-smi", nvidia({ ...card, ...rows }));
  };
const nvidiaDevice: Seed = (machine) => {
  machine.file("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
  machine.file("sys/bus/pci/devices/0000:01:00.0/class", "0x030000\n");
};
const smi =
  (printed: string): Seed =>
  (machine) =>
    machine.program("nvidia-smi", `echo "${printed}"; exit 9`);
const info =
  (values: Partial<Machine["info"]>): Seed =>
  (machine) =>
    void Object.assign(machine.info, values);
const network =
  (values: Record<string, unknown>): Seed =>
  (machine) => {
    machine.market["/v1/network"] = { ...(machine.market["/v1/network"] as object), ...values };
  };
const dead = "http://127.0.0.1:9";
const route =
  "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth9\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n";

const cases: Case[] = [
  {
    code: "ip_forward_off",
    seed: (machine) => machine.file("proc/sys/net/ipv4/ip_forward", "0\n"),
    cure: (machine) => machine.file("proc/sys/net/ipv4/ip_forward", "1\n"),
  },
  {
    code: "memory_low",
    seed: (machine) => machine.file("proc/meminfo", "MemAvailable: 4000 kB\n"),
    cure: (machine) => machine.file("proc/meminfo", "MemAvailable: 4000000 kB\n"),
  },
  {
    code: "load_high",
    seed: (machine) => machine.file("proc/loadavg", "900 900 900.5 1/1 1\n"),
    cure: (machine) => machine.file("proc/loadavg", "0 0 0 1/1 1\n"),
  },
  {
    code: "file_limit_low",
    seed: (machine) => machine.file("proc/self/limits", "Max open files            256       256   files\n"),
    cure: (machine) => machine.file("proc/self/limits", "Max open files            65536     65536 files\n"),
  },
  {
    code: "node_dir_missing",
    seed: (machine) => rmSync(machine.nodeDir, { recursive: true }),
    cure: (machine) => void mkdirSync(machine.nodeDir, { mode: 0o700 }),
  },
  {
    code: "node_key_missing",
    seed: (machine) => machine.remove("node", "node.key"),
    cure: (machine) => machine.key(`0x${"2".repeat(64)}\n`),
  },
  {
    code: "node_key_exposed",
    seed: (machine) => machine.key(`0x${"2".repeat(64)}\n`, 0o644),
    cure: (machine) => void execFileSync("chmod", ["600", join(machine.nodeDir, "node.key")]),
  },
  {
    code: "node_key_invalid",
    seed: (machine) => machine.key("a passphrase\n"),
    cure: (machine) => machine.key(`0x${"2".repeat(64)}\n`),
  },
  {
    code: "wallet_not_set",
    seed: (machine) => void delete machine.env.NODE_WALLET,
    cure: (machine) => {
      machine.env.NODE_WALLET = "0x00000000219ab540356cbb839cbe05303d7705fa";
    },
  },
  {
    code: "client_outdated",
    seed: (machine) => {
      machine.market["/client/manifest.json"] = { version: "9.0.0" };
    },
    cure: (machine) => {
      machine.market["/client/manifest.json"] = { version: "0.0.9" };
    },
  },
  {
    code: "engine_absent",
    seed: (machine) => {
      machine.env.NODE_DOCKER_SOCKET = join(machine.dir, "absent.sock");
      machine.remove("bin", "dockerd");
    },
    cure: (machine) => {
      machine.env.NODE_DOCKER_SOCKET = machine.socket;
    },
  },
  {
    code: "engine_stopped",
    seed: (machine) => {
      machine.env.NODE_DOCKER_SOCKET = join(machine.dir, "absent.sock");
    },
    cure: (machine) => {
      machine.env.NODE_DOCKER_SOCKET = machine.socket;
    },
  },
  {
    code: "engine_silent",
    title: "engine_silent, of an engine that closes every connection",
    seed: async (machine) => {
      machine.env.NODE_DOCKER_SOCKET = join(machine.dir, "mute.sock");
      const mute = createServer((socket) => socket.destroy()).unref();
      await new Promise<void>((resolve) => mute.listen(join(machine.dir, "mute.sock"), resolve));
    },
    cure: (machine) => {
      machine.env.NODE_DOCKER_SOCKET = machine.socket;
    },
  },
  {
    code: "engine_outdated",
    seed: (machine) => void Object.assign(machine.version, { Version: "19.03.15", ApiVersion: "1.40" }),
    cure: (machine) => void Object.assign(machine.version, { Version: "20.10.24", ApiVersion: "1.41" }),
  },
  { code: "engine_memory_unlimited", seed: info({ MemoryLimit: false }), cure: info({ MemoryLimit: true }) },
  { code: "engine_pids_unlimited", seed: info({ PidsLimit: false }), cure: info({ PidsLimit: true }) },
  { code: "engine_cpu_unlimited", seed: info({ CpuCfsQuota: false }), cure: info({ CpuCfsQuota: true }) },
  {
    code: "engine_seccomp_off",
    seed: info({ SecurityOptions: [] }),
    cure: info({ SecurityOptions: ["name=seccomp,profile=default"] }),
  },
  {
    code: "engine_seccomp_off",
    title: "engine_seccomp_off, of an engine with an unconfined profile",
    seed: info({ SecurityOptions: ["name=seccomp,profile=unconfined"] }),
    cure: info({ SecurityOptions: ["name=seccomp,profile=builtin"] }),
  },
  { code: "engine_storage_slow", seed: info({ Driver: "vfs" }), cure: info({ Driver: "overlay2" }) },
  {
    code: "engine_chains_missing",
    seed: (machine) => machine.program("iptables", "echo '-P PREROUTING ACCEPT'"),
    cure: (machine) => machine.program("iptables", "echo '-N DOCKER'"),
  },
  {
    code: "firewall_missing",
    seed: (machine) => machine.remove("bin/iptables"),
    cure: (machine) => machine.program("iptables", "echo '-N DOCKER'"),
  },
  {
    code: "bridge_filter_off",
    seed: (machine) => machine.file("proc/sys/net/bridge/bridge-nf-call-iptables", "0\n"),
    cure: (machine) => machine.file("proc/sys/net/bridge/bridge-nf-call-iptables", "1\n"),
  },
  { code: "engine_proxy_failing", seed: info({ HttpsProxy: dead }), cure: info({ HttpsProxy: "" }) },
  {
    code: "mtu_too_large",
    seed: (machine) => {
      machine.file("proc/net/route", route);
      machine.file("sys/class/net/eth9/mtu", "1400\n");
      machine.file("sys/class/net/docker0/mtu", "1500\n");
    },
    cure: (machine) => machine.file("sys/class/net/docker0/mtu", "1400\n"),
  },
  { code: "gpu_driver_missing", seed: nvidiaDevice, cure: withCard },
  {
    code: "gpu_nouveau_loaded",
    seed: (machine) => {
      nvidiaDevice(machine);
      machine.file("proc/modules", "nouveau 2506752 1 - Live 0x0\n");
    },
    cure: withCard,
  },
  {
    code: "gpu_driver_mismatch",
    seed: smi("Failed to initialize NVML: Driver/library version mismatch"),
    cure: withCard,
  },
  {
    code: "gpu_driver_not_loaded",
    seed: smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."),
    cure: withCard,
  },
  { code: "gpu_driver_failed", seed: smi("Segmentation fault"), cure: withCard },
  {
    code: "gpu_lost",
    seed: cardWith({ "query-gpu=name": `NVIDIA A10, ${uuid}, [GPU is lost], [GPU is lost]` }),
    cure: withCard,
  },
  {
    code: "gpu_reset_required",
    seed: cardWith({ "query-gpu=name": `NVIDIA A10, ${uuid}, [GPU requires reset], 8.6` }),
    cure: withCard,
  },
  {
    code: "gpu_unreadable",
    seed: cardWith({ "query-gpu=name": `NVIDIA A10, ${uuid}, [Unknown Error], 8.6` }),
    cure: withCard,
  },
  {
    code: "gpu_memory_unknown",
    seed: cardWith({ "query-gpu=name": `NVIDIA A10, ${uuid}, [N/A], 8.6` }),
    cure: withCard,
  },
  { code: "gpu_mig", seed: cardWith({ "mig.mode": `${uuid}, Enabled` }), cure: withCard },
  { code: "gpu_memory_errors", seed: cardWith({ "query-gpu=uuid,ecc": `${uuid}, 3` }), cure: withCard },
  {
    code: "gpu_hot",
    seed: cardWith({ "query-gpu=uuid,temperature": `${uuid}, 96, Active` }),
    cure: withCard,
  },
  {
    code: "gpu_in_use",
    seed: (machine) => {
      cardWith({ "query-compute": `4711, ${uuid}, 8000` })(machine);
      machine.file("proc/4711/cgroup", "0::/user.slice/session-1.scope\n");
    },
    cure: (machine) => machine.remove("root", "proc/4711"),
  },
  {
    code: "gpu_xid",
    seed: (machine) =>
      machine.program("dmesg", "echo '[ 12.3] NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.'"),
    cure: (machine) => machine.program("dmesg", "echo '[ 0.0] Linux version 6'"),
  },
  {
    code: "toolkit_missing",
    seed: (machine) => {
      withCard(machine);
      machine.info.Runtimes = { runc: {} };
    },
    cure: withCard,
  },
  {
    code: "toolkit_unconfigured",
    seed: (machine) => {
      withCard(machine);
      machine.info.Runtimes = { runc: {} };
      machine.program("nvidia-ctk", "echo NVIDIA Container Toolkit CLI version 1.17");
    },
    cure: withCard,
  },
  {
    code: "dns_failing",
    seed: (machine) => {
      machine.env.NGPU_API = "http://market.invalid";
    },
    cure: (machine) => {
      machine.env.NGPU_API = machine.api;
    },
  },
  {
    code: "market_unreachable",
    seed: (machine) => {
      machine.env.NGPU_API = dead;
    },
    cure: (machine) => {
      machine.env.NGPU_API = machine.api;
    },
  },
  {
    code: "market_answer_invalid",
    seed: (machine) => {
      machine.env.NGPU_API = `${machine.api}/elsewhere`;
    },
    cure: (machine) => {
      machine.env.NGPU_API = machine.api;
    },
  },
  {
    code: "settings_invalid",
    seed: (machine) => void delete machine.env.NGPU_API,
    cure: (machine) => {
      machine.env.NGPU_API = machine.api;
    },
  },
  {
    code: "clock_wrong",
    seed: (machine) => {
      machine.headers.date = new Date(Date.now() - 300_000).toUTCString();
    },
    cure: (machine) => {
      machine.headers.date = new Date().toUTCString();
    },
  },
  {
    code: "rpc_wrong_chain",
    seed: (machine) => {
      machine.rpc.eth_chainId = "0x1";
    },
    cure: (machine) => {
      machine.rpc.eth_chainId = "0x7a69";
    },
  },
  {
    code: "rpc_behind",
    seed: (machine) => {
      machine.rpc.eth_getBlockByNumber = block(Math.floor(Date.now() / 1_000) - 3_600);
    },
    cure: (machine) => {
      machine.rpc.eth_getBlockByNumber = block(Math.floor(Date.now() / 1_000));
    },
  },
  {
    code: "gateway_unreachable",
    seed: network({ gatewayUrls: [dead] }),
    cure: network({ gatewayUrls: [] }),
  },
  {
    code: "match_unreachable",
    seed: network({ matchUrls: ["ws://127.0.0.1:9", "wss://127.0.0.1:9"] }),
    cure: (machine) => network({ matchUrls: [machine.api.replace("http", "ws")] })(machine),
  },
  {
    code: "host_unresolvable",
    seed: (machine) => {
      machine.env.NODE_HOST = "machine.invalid";
    },
    cure: (machine) => void delete machine.env.NODE_HOST,
  },
  {
    code: "host_private",
    seed: (machine) => {
      machine.env.NODE_HOST = "10.1.2.3";
    },
    cure: (machine) => {
      machine.env.NODE_HOST = "1.1.1.1";
    },
  },
];

const entry = (values: Record<string, unknown>) => ({
  status: "online",
  measurement: {
    id: "3",
    closesAt: 1,
    downMbps: 900,
    upMbps: 900,
    portsReachable: 4,
    diskFreeGib: 50,
    expiresAt: Math.floor(Date.now() / 1_000) + 3_600,
  },
  uptime: { slots: 10, present: 10, share: 1 },
  ...values,
});

/** Problems of a running client: its answer on the control socket, and the market's entry of its node. */
const walls = { state: "up", checkedAt: 1, downSince: null, repairs: 0, repairedAt: null, failure: null };
const clientCases: { code: ProblemCode; status?: Record<string, unknown>; node?: unknown }[] = [
  { code: "node_not_registered", status: { nodeId: null } },
  { code: "node_drained", status: { drained: true } },
  { code: "session_closed", status: { session: false } },
  { code: "node_out_of_sync", status: { current: false } },
  { code: "tunnel_closed", status: { tunnels: 0 } },
  { code: "walls_down", status: { walls: { ...walls, state: "down", failure: "No iptables." } } },
  { code: "walls_flushed", status: { walls: { ...walls, repairs: 2, repairedAt: Date.now() } } },
  { code: "node_offline", node: entry({ status: "offline" }) },
  { code: "measurement_missing", node: entry({ measurement: null }) },
  {
    code: "ports_unreachable",
    node: entry({ measurement: { ...entry({}).measurement, portsReachable: 0 } }),
  },
];

describe("ngpu-node doctor", function () {
  this.timeout(60_000);
  let machine: Machine;
  beforeEach(async () => {
    machine = await new Machine().open();
  });
  afterEach(() => machine.close());

  const codes = async () => (await machine.examine()).map(({ code }) => code);
  /** Whatever the test's machine lacks, it has no client. */
  const withoutClient = (found: ProblemCode[]) => found.filter((code) => code !== "client_not_running");

  it("finds no problem on a healthy machine, with and without a GPU", async () => {
    const stop = await machine.startClient({});
    machine.market["/v1/nodes/7"] = entry({});
    expect(await machine.examine()).to.deep.equal([]);
    withCard(machine);
    nvidiaDevice(machine);
    expect(await machine.examine()).to.deep.equal([]);
    stop();
    expect(await codes()).to.deep.equal(["client_not_running"]);
  });

  for (const { code, seed, cure, title = code } of cases) {
    it(`finds ${title}, and not after its cure`, async () => {
      await seed(machine);
      const before = await machine.examine();
      const problem = before.find((one) => one.code === code);
      expect(problem, `found ${before.map((one) => one.code)}`).to.include({
        severity: problems[code].severity,
      });
      expect(problem?.evidence).to.match(/\S/);
      expect(problem?.cure).to.not.match(/[{}]\w|\bundefined\b/);
      await cure(machine);
      expect(await codes()).to.not.include(code);
    });
  }

  for (const { code, status = {}, node } of clientCases) {
    it(`finds ${code} of a running client`, async () => {
      machine.market["/v1/nodes/7"] = node ?? entry({});
      await machine.startClient(status);
      expect(await codes()).to.deep.equal([code]);
    });
  }

  it("finds a full disk and one without inodes, and not after space is freed", async function () {
    const disk = join(machine.dir, "disk");
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m,nr_inodes=400", "tmpfs", disk], { stdio: "pipe" });
    } catch {
      // Mounting requires root.
      return this.skip();
    }
    try {
      Object.assign(machine.env, { NODE_DIR: join(disk, "node") });
      mkdirSync(join(disk, "node"));
      expect(await codes()).to.include("node_disk_full");
      execFileSync("mount", ["-o", "remount,size=400m", disk]);
      expect(await codes()).to.not.include("node_disk_full");
      for (let index = 0; index < 396; index += 1) mkdirSync(join(disk, String(index)));
      expect(await codes()).to.include("node_inodes_used");
      execFileSync("mount", ["-o", "remount,ro", disk]);
      expect(await codes()).to.include("node_dir_read_only");
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  it("goes on when one check fails, and says which", async () => {
    machine.info.DockerRootDir = 7 as never;
    await machine.startClient({});
    const { problems: found, unchecked } = await machine.examination();
    expect(unchecked.map(({ check }) => check)).to.deep.equal(["engine's disk"]);
    expect(found.map(({ code }) => code)).to.not.include("client_not_running");
  });

  it("shows each problem once, errors before warnings", async () => {
    machine.remove("node", "node.key");
    machine.env.NODE_HOST = "machine.invalid";
    const found = withoutClient(await codes());
    expect(found).to.deep.equal(["host_unresolvable", "node_key_missing"]);
  });
});
