/** Who observes a reason: the node that has the lease, or the market. */
export type ReasonSource = "node" | "market";

type Text = {
  source: ReasonSource;
  /** What is so, in one sentence. */
  message: string;
  /** What to do. */
  hint: string;
  /** The facts in `details`, by name. */
  details?: Readonly<Record<string, string>>;
};

const log = "The container's last 50 lines of output, at most 8 KiB";
const engine = "What the Docker engine says";

/**
 * Why a workspace or a replica does not run: the closed list that the API, the reference and the node client share. A code never
 * changes its meaning.
 */
export const reasons = {
  assignment_refused: {
    source: "market",
    message: "The chain refused to give the replica to the chosen node.",
    hint: "Wait: the market chooses another node. If it persists, compare `details.refusal` with the workspace's terms.",
    details: { refusal: "The contract's error" },
  },
  authorization_ended: {
    source: "market",
    message: "The authorization that pays for the workspace is revoked, expired or used up.",
    hint: "Sign a new one (GET /v1/authorizations/typed-data) and publish the workspace under it.",
    details: { authorizationId: "The authorization", refusal: "The contract's error" },
  },
  balance_too_low: {
    source: "market",
    message: "The deposit does not pay for the replica.",
    hint: "Deposit at least the missing amount: GET /v1/deposits/typed-data, then POST /v1/deposits.",
    details: {
      available: "Token units that are left",
      needed: "Token units that the replicas need",
      missing: "Token units that are missing",
      refusal: "The contract's error",
    },
  },
  closed: {
    source: "market",
    message: "The workspace is closed.",
    hint: "Publish it again: POST /v1/workspaces.",
  },
  config_invalid: {
    source: "node",
    message: "The workspace's configuration on the chain cannot be used.",
    hint: "Update the workspace with a valid configuration: POST /v1/workspaces/{id}/update.",
    details: { message: "What is wrong with it" },
  },
  container_exited: {
    source: "node",
    message: "The container ended.",
    hint: "Read `details.log`, correct the image, command or environment, and update the workspace.",
    details: {
      exitCode: "Exit code; above 128: 128 and the signal",
      starts: "Starts so far",
      log,
    },
  },
  container_start_failed: {
    source: "node",
    message: "The node cannot start the container.",
    hint: "Check that the command exists in the image and is executable, and update the workspace.",
    details: { message: engine, exitCode: "Exit code that the engine gives, if any", log },
  },
  container_starting: {
    source: "market",
    message: "The container starts; its health path has not answered with 2xx yet.",
    hint: "Wait. The node reports when the container ends or its health path fails.",
  },
  disk_full: {
    source: "node",
    message: "The node's disk has too little space.",
    hint: "Wait: the market replaces the replica. A smaller image fits on more nodes.",
    details: { missingGib: "GiB of disk that are missing", message: engine },
  },
  expired: {
    source: "market",
    message: "The workspace has expired.",
    hint: "Publish it again with a later expiresAt: POST /v1/workspaces.",
    details: { expiresAt: "Time of the expiry" },
  },
  gpu_lost: {
    source: "node",
    message: "A GPU of the node is lost.",
    hint: "Wait: the market replaces the replica.",
  },
  health_failing: {
    source: "node",
    message: "The container runs, and its health path does not answer with 2xx.",
    hint: "Read `details.answer` or `details.message`. Check `health` and that the server listens on the first port, on all addresses.",
    details: {
      path: "The health path",
      port: "The container's port",
      status: "HTTP status of the answer; absent: there was none",
      answer: "Start of the answer's body, at most 2 KiB",
      message: "Why there was no answer",
      log,
    },
  },
  image_architecture_mismatch: {
    source: "node",
    message: "The image does not run on the node's processor.",
    hint: "Push the image for linux/amd64 (docker buildx build --platform linux/amd64) and update the workspace.",
    details: { wanted: "The node's platform", found: "The image's platform", message: engine },
  },
  image_digest_mismatch: {
    source: "node",
    message: "The registry serves another image under the digest.",
    hint: "Push the image again, and update the workspace with the digest that `docker push` prints.",
  },
  image_downloading: {
    source: "market",
    message: "The node downloads the image.",
    hint: "Wait. The node reports when the download fails.",
    details: { percent: "Percent of the image" },
  },
  image_not_found: {
    source: "node",
    message: "The registry has no such image.",
    hint: "Check the reference and the digest that `docker push` prints, and update the workspace.",
    details: { image: "The reference", message: engine },
  },
  image_pull_denied: {
    source: "node",
    message: "The registry does not let nodes pull the image.",
    hint: "Make the image public, or push it to a registry that serves it without a key.",
    details: { image: "The reference", message: engine },
  },
  image_pull_failed: {
    source: "node",
    message: "The image cannot be pulled.",
    hint: "Read `details.message`. The node tries again; then the market replaces the replica.",
    details: { image: "The reference", message: engine },
  },
  image_registry_unreachable: {
    source: "node",
    message: "The image's registry does not answer the node.",
    hint: "Check that the registry is up and public. The node tries again.",
    details: { image: "The reference", message: engine },
  },
  image_volumes_exceeded: {
    source: "node",
    message: "The image declares more volumes than a container may have.",
    hint: "Remove VOLUME lines from the Dockerfile, push the image, and update the workspace with its digest.",
    details: { volumes: "Volumes that the image declares", most: "Volumes that are allowed" },
  },
  isolation_unavailable: {
    source: "node",
    message: "The node cannot separate the container from its own network or disk, and does not start it.",
    hint: "Wait: the market replaces the replica.",
    details: { message: "What the node cannot set up" },
  },
  lock_spent: {
    source: "market",
    message: "The replica was stopped until its lock was spent, so its node freed its place.",
    hint: "Start the workspace: POST /v1/workspaces/{id}/start. The market chooses a node, which fetches the image again.",
  },
  no_node_fits: {
    source: "market",
    message: "No node fits the workspace.",
    hint: "Request less of what `details.nearest` lacks, or raise maxPricePerSecond. The market tries again when nodes change.",
    details: {
      refused: "Nodes by what rejects them",
      nearest: "The rejected node that is closest to fitting, and what it lacks",
      priceLimit:
        "What a replacement may cost a second after a lease was taken away, and until when; absent: nothing limits it",
    },
  },
  node_lost: {
    source: "market",
    message: "The replica's node does not answer.",
    hint: "Wait: the market replaces the replica by the workspace's policy.",
    details: { signal: "What shows it: session, probe or heartbeat" },
  },
  out_of_memory: {
    source: "node",
    message: "The container used more memory than the workspace requests.",
    hint: "Publish the workspace with a larger memoryMib, or use less memory.",
    details: { memoryMib: "Memory of the replica", exitCode: "Exit code", starts: "Starts so far", log },
  },
  placing: {
    source: "market",
    message: "The market chooses a node for the replica.",
    hint: "Wait a few seconds.",
  },
  replica_replaced: {
    source: "market",
    message: "The market replaces the replica.",
    hint: "Wait: another node gets the replica. `details.why` says what the node did not do.",
    details: { why: "What the node did not do in time, or reported" },
  },
  secret_missing: {
    source: "node",
    message: "The workspace names secrets that its owner has not set.",
    hint: "Set them: POST /v1/secrets, or `ngpu secrets set`. The container starts then.",
    details: { names: "The names" },
  },
  secrets_unavailable: {
    source: "node",
    message:
      "The node has not received the workspace's secrets, and does not start the container without them.",
    hint: "Wait: the node asks again. With `secrets.after`, it gets them once its assignment is that final.",
    details: { message: "What is missing" },
  },
  stopped: {
    source: "market",
    message: "The owner stopped the replica.",
    hint: "Start it: POST /v1/workspaces/{id}/start.",
  },
} as const satisfies Record<string, Text>;

export type ReasonCode = keyof typeof reasons;

export const reasonText = (code: ReasonCode): Text => reasons[code];
