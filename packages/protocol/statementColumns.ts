/** The columns of a statement's CSV, in order, as the API and the command line write it. */
export const statementColumns = [
  "at",
  "book",
  "kind",
  "amount",
  "counterparty",
  "workspaceId",
  "replica",
  "lease",
  "nodeId",
  "day",
  "epoch",
  "batch",
  "block",
  "txHash",
  "tier",
  "id",
] as const;
