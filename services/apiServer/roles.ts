import { InputError } from "@ngpu/runtime/errors";
import { requireScope, type Scope, scopeNames } from "./scopes.ts";

/** What members of an account may do. */
export const roleTexts = {
  owner: "everything, members included",
  developer: "workspaces, tasks, logs, commands, secrets, webhooks and keys of their own",
  viewer: "read the account, its workspaces, tasks and balance",
  billing: "deposits, authorizations, the balance, usage and invoices",
} as const;

export type Role = keyof typeof roleTexts;
export const roleNames = Object.keys(roleTexts) as [Role, ...Role[]];

/** The scopes that a role allows its members' keys. */
export const roleScopes: Readonly<Record<Role, readonly Scope[]>> = {
  owner: scopeNames,
  developer: ["read", "tasks", "workspaces", "logs", "exec", "secrets", "webhooks", "keys"],
  viewer: ["read"],
  billing: ["payments"],
};

/** A key's scopes, null for all, and the role of who holds it. */
type Granted = { scopes: readonly Scope[] | null; role: Role };

/** What a key may do: its own scopes that the role of its holder allows. */
export const scopesWithin = ({ scopes, role }: Granted): readonly Scope[] =>
  scopes === null ? roleScopes[role] : scopes.filter((scope) => roleScopes[role].includes(scope));

/**
 * @param needed The scopes of which one is needed.
 * @throws InputError `role_insufficient` or `scope_missing` (403).
 */
export function requireAccess(granted: Granted, needed: readonly Scope[]): void {
  const { role } = granted;
  const allows = (one: Role) => needed.some((scope) => roleScopes[one].includes(scope));
  if (allows(role)) {
    requireScope(scopesWithin(granted), needed);
    return;
  }
  throw new InputError(`A member with the role ${role} may not do this.`, {
    code: "role_insufficient",
    status: 403,
    hint: "Ask an owner of the account for one of the roles in details.roles.",
    details: { role, roles: roleNames.filter(allows) },
  });
}
