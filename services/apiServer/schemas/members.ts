import { z } from "zod";
import { roleNames, roleTexts } from "../roles.ts";
import { address, isoTime, nextPage, text } from "./common.ts";

export const role = z.enum(roleNames).meta({
  description: Object.entries(roleTexts)
    .map(([name, says]) => `${name}: ${says}`)
    .join("; "),
});

const name = text(1, 100);

const member = z
  .object({
    wallet: z.string(),
    role,
    name: z.string().nullable(),
    since: isoTime,
    lastUsedAt: isoTime.nullable().meta({ description: "When a key of the member was used last" }),
  })
  .meta({ id: "Member" });
export const memberList = z.object({
  members: z.array(member).meta({ description: "The account's own wallet comes first; it is an owner" }),
});

const invitation = {
  id: z.string(),
  role,
  name: z.string().nullable(),
  wallet: z.string().nullable().meta({ description: "The only wallet that may accept it; null: any" }),
  expiresAt: isoTime,
};
export const invitationList = z.object({
  invitations: z.array(z.object({ ...invitation, createdAt: isoTime }).meta({ id: "Invitation" })),
});
export const newInvitation = z.strictObject({
  role,
  name: name.optional().meta({ description: "Who is invited" }),
  wallet: address.optional().meta({ description: "The only wallet that may accept it; default: any" }),
  expiresInSeconds: z
    .number()
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(7 * 86_400),
});
export const newInvitationAnswer = z.object({
  ...invitation,
  invitation: z.string().meta({
    description: "Shown only once. Whoever has it can accept it, with POST /v1/accounts",
  }),
});

export const roleChange = z.strictObject({ role });
export const memberAnswer = z.object({ wallet: z.string(), role });

export const auditPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z
    .string()
    .regex(/^\d{1,18}$/, "is not the id of an entry")
    .optional()
    .meta({ description: "Continue after this entry" }),
  since: z.iso.datetime({ offset: true }).optional(),
  member: address.optional().meta({ description: "Only what this wallet did" }),
  keyId: z
    .string()
    .regex(/^[0-9a-f]{16}$/, "is not a key id")
    .optional(),
});
export const auditAnswer = z.object({
  entries: z.array(
    z
      .object({
        id: z.string(),
        at: isoTime,
        member: z.string().meta({ description: "The wallet that acted: the account's own, or a member's" }),
        keyId: z.string(),
        action: z
          .string()
          .meta({ description: "Method and pattern of the route, such as POST /v1/workspaces" }),
        subject: z.string().nullable().meta({ description: "What of the path names what was changed" }),
        status: z
          .number()
          .int()
          .nullable()
          .meta({ description: "HTTP status; null: it has not ended, or its end is not known" }),
        made: z.string().nullable().meta({ description: "Id of what was made" }),
        requestId: z.string(),
        address: z.string().nullable().meta({ description: "IP address that the request came from" }),
        userAgent: z.string().nullable(),
      })
      .meta({ id: "AuditEntry" }),
  ),
  next: nextPage,
});
