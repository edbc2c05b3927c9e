import { Argument, type Command } from "commander";
import { lazy } from "../shared/lazy.ts";

const roles = ["owner", "developer", "viewer", "billing"];

/** Members of the account, and what they did. */
export function addMemberCommands(program: Command): void {
  const members = program.command("members").description("list, invite, change and remove members");
  members
    .command("ls", { isDefault: true })
    .description("list the account's members")
    .action(lazy(async () => (await import("../account/members.ts")).listMembers));
  members
    .command("invite")
    .description("invite a member; the invitation is shown only once")
    .addArgument(new Argument("<role>", "what the member may do").choices(roles))
    .option("--name <name>", "who is invited")
    .option("--for <wallet>", "the only wallet that may accept it (default: any)")
    .option("--expires <duration>", "how long it can be accepted", "7d")
    .action(lazy(async () => (await import("../account/members.ts")).invite));
  members
    .command("invitations")
    .description("list the invitations that can still be accepted")
    .action(lazy(async () => (await import("../account/members.ts")).listInvitations));
  members
    .command("revoke")
    .description("revoke invitations")
    .argument("<id...>", "ids of the invitations")
    .action(lazy(async () => (await import("../account/members.ts")).revokeInvitations));
  members
    .command("role")
    .description("change the role of a member, for all its keys at once")
    .argument("<wallet>", "address of the member")
    .addArgument(new Argument("<role>", "the new role").choices(roles))
    .action(lazy(async () => (await import("../account/members.ts")).changeRole));
  members
    .command("rm")
    .description("remove members and revoke their keys")
    .argument("<wallet...>", "addresses of the members")
    .action(lazy(async () => (await import("../account/members.ts")).removeMembers));
  program
    .command("audit")
    .description("list who did what, with which key and from where, newest first")
    .option("--since <duration>", "period, such as 7d or 12h", "30d")
    .option("--member <wallet>", "only what this wallet did")
    .option("--used-key <id>", "only what this key did")
    .action(lazy(async () => (await import("../account/audit.ts")).showAudit));
}
