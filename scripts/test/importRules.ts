type Rule = {
  /** Files that the rule covers: a glob of whole names, where `*` is one directory. */
  of: string;
  /** Packages that these files may import, by directory. Files of the same package are always allowed. */
  may: readonly string[];
  because: string;
};

const BASE = ["packages/runtime", "packages/contracts-sdk", "packages/protocol"];
const READS = [
  ...BASE,
  "packages/chain-reader",
  "packages/db",
  "packages/placement",
  "packages/proof",
  "packages/queries",
  "packages/rewards",
  "packages/waves",
];

/** The allowed imports between packages: arrows point downwards only. A new rule is one line. */
export const RULES: readonly Rule[] = [
  { of: "packages/runtime", may: [], because: "the runtime does not depend on the market" },
  { of: "packages/contracts-sdk", may: ["packages/runtime"], because: "it describes only the contracts" },
  { of: "packages/protocol", may: BASE, because: "formats need no database and no chain client" },
  { of: "packages/chain-reader", may: BASE, because: "reading the chain needs no database" },
  {
    of: "packages/db",
    may: ["packages/runtime"],
    because: "the database layer does not depend on contracts",
  },
  { of: "packages/placement", may: BASE, because: "the placement engine is pure" },
  {
    of: "packages/proof",
    may: BASE,
    because: "a proof is verified without a chain client and without a database",
  },
  { of: "packages/waves", may: [...BASE, "packages/proof"], because: "verdicts are pure" },
  {
    of: "packages/rewards",
    may: [...BASE, "packages/proof", "packages/waves"],
    because: "the reward formula is pure",
  },
  {
    of: "packages/audit",
    may: [...BASE, "packages/chain-reader", "packages/placement", "packages/rewards", "packages/waves"],
    because: "auditors need an RPC endpoint alone",
  },
  { of: "packages/image-store", may: BASE, because: "the image store uses only files" },
  {
    of: "packages/update-repository",
    may: BASE,
    because: "releases are signed on a machine without a market",
  },
  { of: "packages/api-client", may: [], because: "partners install the client without other packages" },
  {
    of: "packages/tx-sender",
    may: [...BASE, "packages/chain-reader", "packages/db"],
    because: "it only sends",
  },
  {
    of: "packages/queries",
    may: [...BASE, "packages/db", "packages/placement", "packages/waves"],
    because: "queries only read",
  },
  {
    of: "services/registry",
    may: ["packages/runtime", "packages/db", "packages/image-store"],
    because: "the registry needs files and the accounts of pushes",
  },
  {
    of: "services/config",
    may: ["packages/runtime", "packages/protocol", "packages/update-repository"],
    because: "config reads no database and no chain",
  },
  {
    of: "services/*",
    may: [...READS, "packages/tx-sender"],
    because: "services communicate through Postgres tables, chain events and queues",
  },
  {
    of: "node-client",
    may: [...BASE, "packages/chain-reader", "packages/proof", "packages/waves"],
    because: "the node client runs without the services",
  },
  {
    of: "cli",
    may: [...READS, "packages/api-client", "packages/audit"],
    because: "the command line reaches no service",
  },
  {
    of: "console",
    may: ["packages/api-client", "packages/audit", "packages/contracts-sdk"],
    because: "the console reaches no service",
  },
  { of: "images", may: [], because: "workspace images contain only their own code" },
  {
    of: "contracts",
    may: ["packages/runtime", "packages/contracts-sdk", "packages/rewards", "packages/waves"],
    because: "contracts need no service",
  },
  {
    of: "partner-docs",
    may: ["packages/api-client"],
    because: "partners run the examples without the services",
  },
  {
    of: "scripts",
    may: ["packages/*", "services/*", "node-client", "cli", "contracts", "hardhat.config.ts"],
    because: "product code must not depend on tests",
  },
];
