/** How much a problem matters: an `error` keeps the node from earning, a `warning` does not yet. */
export type Severity = "error" | "warning";

type Kind = {
  severity: Severity;
  /** What is wrong, one sentence without values. */
  title: string;
  /** The command that cures it, or what to do where no command can. `{…}` is replaced by a value of the evidence. */
  cure: string;
};

const error = (title: string, cure: string): Kind => ({ severity: "error", title, cure });
const warning = (title: string, cure: string): Kind => ({ severity: "warning", title, cure });

/** Every problem that `ngpu-node doctor` recognizes. */
export const problems = {
  settings_invalid: error("The settings are not valid.", "sudoedit /etc/ngpu/node.env"),
  settings_unreadable: error("This user cannot read the node's settings.", "sudo ngpu-node doctor"),
  os_unsupported: error(
    "The client runs on Linux only.",
    "Use a Linux machine, or WSL2 with its own Docker engine.",
  ),
  node_dir_missing: error("The node's directory does not exist.", "install -d -m 0700 -o ngpu-node {dir}"),
  node_dir_read_only: error("The node's directory cannot be written to.", "mount -o remount,rw {mount}"),
  node_disk_full: error("The node's disk is full.", "du -xh {dir} | sort -h | tail"),
  node_inodes_used: error("The node's disk has no free inodes.", "du --inodes -x {dir} | sort -n | tail"),
  node_key_missing: warning("The node has no key yet.", "systemctl start ngpu-node"),
  node_key_exposed: error("Other users can read the node's key.", "chmod 600 {path}"),
  node_key_invalid: error("The key file does not contain a private key.", "Restore {path} from its backup."),
  wallet_not_set: warning(
    "No wallet is set: rewards go to the node's own key.",
    "Run the installation again with --wallet 0x…",
  ),
  client_not_running: error("The client does not run.", "systemctl start ngpu-node"),
  client_outdated: warning(
    "The market serves a newer client.",
    "curl -fsS {api}/install_mcNode.sh | sudo sh",
  ),
  node_not_registered: error("The node is not registered on the chain.", "ngpu-node logs -n 50"),
  node_drained: warning("The node is drained: it accepts no new leases.", "ngpu-node resume"),
  node_offline: error("The chain lists the node as offline.", "systemctl restart ngpu-node"),
  node_out_of_sync: error("The client's view of the chain is behind.", "systemctl restart ngpu-node"),
  session_closed: error("The client has no session with match.", "ngpu-node logs -n 50"),
  tunnel_closed: error("The client has no tunnel to a gateway: tasks do not arrive.", "ngpu-node logs -n 50"),
  measurement_missing: warning(
    "The node has no valid measurement: it earns nothing for its hardware.",
    "Wait for the next round, or see ngpu-node logs -n 50.",
  ),
  ports_unreachable: error(
    "Measurement nodes cannot reach this machine's ports.",
    "Forward TCP ports 32768-60999 to this machine, or set NODE_HOST to an address that reaches it.",
  ),
  engine_absent: error("The Docker engine is not installed.", "apt-get install -y docker.io"),
  engine_stopped: error("The Docker engine does not run.", "systemctl start docker"),
  engine_denied: error(
    "This user may not use the Docker engine.",
    "usermod --append --groups docker ngpu-node",
  ),
  engine_silent: error("The Docker engine does not answer.", "systemctl restart docker"),
  engine_outdated: error(
    "The Docker engine is older than 20.10.",
    "apt-get install --only-upgrade docker.io",
  ),
  engine_disk_full: error("The engine's disk is almost full.", "docker image prune --all"),
  engine_inodes_used: error("The engine's disk has almost no free inodes.", "docker image prune --all"),
  engine_storage_slow: warning(
    "The engine copies every image in full (storage driver vfs).",
    'Set "storage-driver": "overlay2" in /etc/docker/daemon.json and restart Docker.',
  ),
  engine_memory_unlimited: error(
    "The kernel does not limit the memory of containers.",
    "Add cgroup_enable=memory to the kernel's command line and reboot.",
  ),
  engine_pids_unlimited: error(
    "The kernel does not limit the processes of containers.",
    "Boot a kernel with the pids cgroup controller.",
  ),
  engine_cpu_unlimited: error(
    "The kernel does not limit the CPU of containers.",
    "Boot a kernel with CONFIG_CFS_BANDWIDTH.",
  ),
  engine_seccomp_off: error(
    "The engine runs containers without seccomp.",
    "Remove seccomp=unconfined from the engine's settings and restart Docker.",
  ),
  engine_proxy_failing: error(
    "The engine fetches images through a proxy that does not answer.",
    "systemctl show docker --property Environment",
  ),
  engine_chains_missing: error(
    "A firewall removed the engine's rules: container ports are not reachable.",
    "systemctl restart docker",
  ),
  firewall_missing: error(
    "iptables is not installed: tenants cannot be separated from this network, and no lease starts.",
    "apt-get install -y iptables",
  ),
  bridge_filter_off: error(
    "Packets between containers bypass the firewall: no lease starts.",
    "sysctl -w net.bridge.bridge-nf-call-iptables=1",
  ),
  walls_down: error(
    "The firewall between tenants and this machine is not up: no lease starts.",
    "ngpu-node logs -n 50",
  ),
  walls_flushed: warning(
    "Another program removes the firewall's rules between tenants and this machine; the client puts them back.",
    "journalctl -n 50 -u firewalld -u nftables -u ufw",
  ),
  ip_forward_off: error(
    "The kernel does not forward packets to containers.",
    "sysctl -w net.ipv4.ip_forward=1",
  ),
  mtu_too_large: warning(
    "Containers send larger packets than the uplink carries.",
    'Set "mtu": {mtu} in /etc/docker/daemon.json and restart Docker.',
  ),
  gpu_driver_missing: error(
    "A GPU is present and its driver is not installed.",
    "apt-get install -y nvidia-driver",
  ),
  gpu_driver_mismatch: error("The driver's kernel module and its library have different versions.", "reboot"),
  gpu_driver_not_loaded: error("The driver's kernel module is not loaded.", "modprobe nvidia"),
  gpu_nouveau_loaded: error(
    "The kernel uses nouveau for the NVIDIA GPU.",
    "echo 'blacklist nouveau' > /etc/modprobe.d/nouveau.conf && update-initramfs -u && reboot",
  ),
  gpu_driver_failed: error("The GPU's driver fails.", "reboot"),
  gpu_lost: error("The driver lost a GPU.", "reboot"),
  gpu_reset_required: error("A GPU requires a reset.", "nvidia-smi --gpu-reset -i {gpu}"),
  gpu_unreadable: error("The driver reports errors for a GPU.", "nvidia-smi -q -i {gpu}"),
  gpu_memory_unknown: warning("A GPU reports no amount of memory.", "NODE_LIMIT_GPUS=0 joins without it."),
  gpu_mig: error("MIG is enabled on a GPU that has no MIG device.", "nvidia-smi -i {gpu} -mig 0"),
  gpu_device_missing: error("The kernel lists no render device for a GPU.", "ls -l /dev/dri"),
  gpu_memory_errors: error(
    "A GPU has memory errors that it cannot correct.",
    "nvidia-smi --gpu-reset -i {gpu}",
  ),
  gpu_hot: warning("A GPU slows down because it is hot.", "nvidia-smi -q -d TEMPERATURE -i {gpu}"),
  gpu_in_use: warning("Processes outside the market use a GPU.", "kill {pids}"),
  gpu_xid: warning("The driver logged an error of a GPU.", "dmesg | grep Xid"),
  toolkit_missing: error(
    "The NVIDIA Container Toolkit is not installed: containers get no GPU.",
    "apt-get install -y nvidia-container-toolkit",
  ),
  toolkit_unconfigured: error(
    "Docker does not use the NVIDIA Container Toolkit.",
    "nvidia-ctk runtime configure --runtime=docker && systemctl restart docker",
  ),
  clock_wrong: error("The clock is wrong: signatures are rejected.", "timedatectl set-ntp true"),
  memory_low: warning("Little memory is left for leases.", "Add memory, or stop other programs."),
  load_high: warning("Other programs keep the CPUs busy.", "top"),
  file_limit_low: warning("The client may open few files.", "ulimit -n 65536"),
  dns_failing: error("The market's name does not resolve.", "resolvectl query {host}"),
  market_unreachable: error("The market's API does not answer.", "curl -v {url}"),
  market_certificate_invalid: error("The certificate of the market's API is not valid.", "curl -v {url}"),
  market_answer_invalid: error("NGPU_API does not lead to an ngpu market.", "sudoedit /etc/ngpu/node.env"),
  rpc_unreachable: error("No RPC endpoint of the chain answers.", "curl -v {url}"),
  rpc_wrong_chain: error(
    "An RPC endpoint serves another chain.",
    "Ask the market's operator to correct its rpcUrls.",
  ),
  rpc_behind: warning("The chain's newest block is old.", "curl -v {url}"),
  rpc_limited: error(
    "No RPC endpoint has the chain's history since the market's deployment.",
    "Ask the market's operator for an endpoint that keeps all blocks and logs.",
  ),
  match_unreachable: error("The match service is not reachable.", "curl -v {url}"),
  gateway_unreachable: error("No gateway is reachable.", "curl -v {url}"),
  host_unresolvable: error("NODE_HOST does not resolve.", "sudoedit /etc/ngpu/node.env"),
  host_private: warning(
    "NODE_HOST is a private address: measurement nodes cannot reach it.",
    "sudoedit /etc/ngpu/node.env",
  ),
} as const satisfies Record<string, Kind>;

export type ProblemCode = keyof typeof problems;

/** A problem that was found, with what was seen. */
export type Problem = {
  code: ProblemCode;
  severity: Severity;
  title: string;
  /** What was seen, with its values. */
  evidence: string;
  /** `likely`: another cause is possible. */
  confidence: "certain" | "likely";
  cure: string;
};

/** A problem with its evidence. @param values Values for the placeholders of the cure. */
export function found(
  code: ProblemCode,
  evidence: string,
  values: Record<string, string | number> = {},
  confidence: Problem["confidence"] = "certain",
): Problem {
  const { severity, title, cure } = problems[code];
  const filled = cure.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? `{${name}}`));
  return { code, severity, title, evidence, confidence, cure: filled };
}
