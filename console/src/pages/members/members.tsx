import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { Audit } from "./audit.tsx";
import { Invitations } from "./invitations.tsx";
import { Invite } from "./invite.tsx";
import { MemberTable } from "./memberTable.tsx";

/** Who may do what with the account, and who did what. */
export function MembersPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Members />;
}

function Members() {
  const t = useText();
  const members = useRoute("GET /v1/members", {}, { every: 15_000 });
  return (
    <Page title={t("members.title")} lead={t("members.lead")}>
      <Panel title={t("members.list")} flush>
        <Loaded query={members}>{({ members: list }) => <MemberTable members={list} />}</Loaded>
      </Panel>
      <Panel title={t("members.invite")} note={t("members.invite.note")}>
        <Invite />
      </Panel>
      <Invitations />
      <Panel title={t("audit.title")} note={t("audit.note")} flush>
        <Audit />
      </Panel>
    </Page>
  );
}
