import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { createInvitation, type Partner } from "../access.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { requireLasting } from "../keyLimits.ts";
import { type Role, roleScopes, scopesWithin } from "../roles.ts";
import { address } from "../schemas/common.ts";
import {
  invitationList,
  memberAnswer,
  memberList,
  newInvitation,
  newInvitationAnswer,
  roleChange,
} from "../schemas/members.ts";
import { requireScopes } from "../scopes.ts";
import {
  changeRole,
  insertInvitation,
  listInvitations,
  listMembers,
  removeMember,
  revokeInvitation,
} from "../store/members.ts";

export function memberRoutes(deps: ApiDeps): Endpoint[] {
  return [members(deps), invitations(deps), invite(deps), withdraw(deps), changed(deps), removed(deps)];
}

const wallet = z.object({ wallet: address });
const invitationId = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/, "is not the id of an invitation") });

const members = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/members",
      tag: "Accounts",
      summary: "List the account's members",
      access: "partner",
      answer: memberList,
    },
    async ({ partner }) => ({
      members: (await listMembers(db, partner.wallet)).map((row) => ({
        wallet: row.wallet,
        role: row.role,
        name: row.name,
        since: row.added_at.toISOString(),
        lastUsedAt: row.last_used_at?.toISOString() ?? null,
      })),
    }),
  );

const invitations = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/members/invitations",
      tag: "Accounts",
      summary: "List the invitations that can still be accepted",
      access: "partner",
      answer: invitationList,
    },
    async ({ partner }) => ({
      invitations: (await listInvitations(db, partner.wallet)).map((row) => ({
        id: row.id,
        role: row.role,
        name: row.name,
        wallet: row.wallet,
        createdAt: row.created_at.toISOString(),
        expiresAt: row.expires_at.toISOString(),
      })),
    }),
  );

const invite = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/members/invitations",
      tag: "Accounts",
      summary: "Invite a member",
      description:
        "Whoever has the invitation accepts it once, by signing in with a wallet of their own: POST /v1/accounts with `invitation`. A key invites to roles that may do no more than itself. A key with limits or an expiry invites nobody.",
      access: "partner",
      body: newInvitation,
      status: 201,
      answer: newInvitationAnswer,
    },
    async ({ partner, body }) => {
      requireMay(partner, body.role);
      const { id, text, secretHash } = createInvitation();
      const expiresAt = new Date(Date.now() + 1_000 * body.expiresInSeconds);
      const { role, name = null, wallet = null } = body;
      const terms = { id, role, name, wallet };
      await insertInvitation(db, { ...terms, account: partner.wallet, secretHash, expiresAt });
      return { ...terms, expiresAt: expiresAt.toISOString(), invitation: text };
    },
  );

const withdraw = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/members/invitations/:id",
      tag: "Accounts",
      summary: "Revoke an invitation",
      access: "partner",
      params: invitationId,
      answer: z.object({ id: z.string(), revoked: z.literal(true) }),
    },
    async ({ partner, params: { id } }) => {
      if (await revokeInvitation(db, partner.wallet, id)) return { id, revoked: true as const };
      throw new InputError(`There is no invitation ${id} that could still be accepted.`, {
        code: "invitation_not_found",
        status: 404,
        hint: "GET /v1/members/invitations lists them. Remove a member who has accepted.",
      });
    },
  );

const changed = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/members/:wallet",
      tag: "Accounts",
      summary: "Change the role of a member",
      description: "It holds at once for all keys of the member. The account's own wallet stays an owner.",
      access: "partner",
      params: wallet,
      body: roleChange,
      answer: memberAnswer,
    },
    async ({ partner, params, body: { role } }) => {
      requireMay(partner, role);
      const { wallet } = params;
      if (await changeRole(db, { account: partner.wallet, wallet, role })) return { wallet, role };
      throw unknownMember(wallet);
    },
  );

const removed = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/members/:wallet",
      tag: "Accounts",
      summary: "Remove a member",
      description:
        "Revokes the member's keys. Workspaces, secrets and webhooks are the account's, and stay. The account's own wallet cannot be removed.",
      access: "partner",
      params: wallet,
      answer: z.object({ wallet: z.string(), removed: z.literal(true) }),
    },
    async ({ partner, params: { wallet } }) => {
      if (await removeMember(db, partner.wallet, wallet)) return { wallet, removed: true as const };
      throw unknownMember(wallet);
    },
  );

/** A key gives nobody more than it has itself. */
function requireMay(partner: Partner, role: Role): void {
  requireLasting(partner);
  requireScopes(scopesWithin(partner), roleScopes[role]);
}

function unknownMember(wallet: string): InputError {
  return new InputError(`${wallet} is no member whose role could change.`, {
    code: "member_not_found",
    status: 404,
    hint: "GET /v1/members lists the members. The account's own wallet stays an owner.",
  });
}
