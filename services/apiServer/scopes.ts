import { InputError } from "@ngpu/runtime/errors";

/** What a key may do. */
export const scopeTexts = {
  read: "read the account, its workspaces, tasks and balance",
  tasks: "run tasks and call OpenAI's endpoints, and read tasks",
  workspaces: "publish, change and delete workspaces, register images, and read them",
  logs: "read what the containers of workspaces write",
  exec: "run commands in the containers of workspaces",
  payments: "deposit and authorize what the wallet has signed, and read the balance",
  secrets: "set and delete secrets, and list their names",
  webhooks: "create, change and delete webhooks, and read events",
  keys: "list, create, rotate and revoke keys",
  members: "invite, change and remove members",
  audit: "read who did what",
} as const;

export type Scope = keyof typeof scopeTexts;
export const scopeNames = Object.keys(scopeTexts) as [Scope, ...Scope[]];

const byTag: Readonly<Record<string, Scope>> = {
  Accounts: "payments",
  Payments: "payments",
  Workspaces: "workspaces",
  Tasks: "tasks",
  "OpenAI-compatible": "tasks",
  Secrets: "secrets",
  Webhooks: "webhooks",
};

/** Parts that only a scope of their own opens: what a container writes may be secret, and keys and addresses are others'. */
const ownScopes: readonly (readonly [RegExp, Scope])[] = [
  [/^\/v1\/workspaces\/[^/]+\/logs$/, "logs"],
  [/^\/v1\/workspaces\/[^/]+\/exec(\/|$)/, "exec"],
  [/^\/v1\/keys(\/|$)/, "keys"],
  [/^\/v1\/audit$/, "audit"],
];

/** The scopes of which a key needs one for an endpoint: that of its part of the API, and for reads also `read`. */
export function scopesOf({ tag, method, path }: { tag: string; method: string; path: string }): Scope[] {
  const byPath = ownScopes.find(([pattern]) => pattern.test(path));
  if (byPath !== undefined) return [byPath[1]];
  const own = /^\/v1\/members(\/|$)/.test(path) ? "members" : byTag[tag];
  return [...(method === "get" ? ["read" as const] : []), ...(own === undefined ? [] : [own])];
}

/**
 * @param granted The scopes of a key; null: all.
 * @throws InputError `scope_missing` (403) when the key has none of the needed scopes.
 */
export function requireScope(granted: readonly Scope[] | null, needed: readonly Scope[]): void {
  if (granted === null || needed.some((scope) => granted.includes(scope))) return;
  throw new InputError(`The API key lacks the scope ${needed.join(" or ")}.`, {
    code: "scope_missing",
    status: 403,
    hint: "Use a key with this scope; GET /v1/keys lists the keys with their scopes.",
    details: { needed, granted },
  });
}

/** @throws InputError `scope_missing` (403) when scopes that are given to another key are not all granted. */
export function requireScopes(granted: readonly Scope[] | null, given: readonly Scope[] | null): void {
  for (const scope of given ?? scopeNames) requireScope(granted, [scope]);
}
