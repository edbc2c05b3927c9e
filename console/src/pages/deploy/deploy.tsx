import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { Answer } from "./answer.tsx";
import { Fields } from "./fields.tsx";
import { type Form, imagePattern, initial, sizes, workspaceOf } from "./form.ts";
import { Templates } from "./templates.tsx";

export function DeployPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Deploy />;
}

function Deploy() {
  const t = useText();
  const { api } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [form, setForm] = useState<Form>(initial);
  // The key belongs to what is typed: a repeated click publishes nothing more.
  const [idempotencyKey, setIdempotencyKey] = useState(newKey);
  const known = useRoute("GET /v1/workspaces", { query: { limit: 50 } });
  const images = [...new Set(known.data?.workspaces.map(({ image }) => image))].filter((one) =>
    imagePattern.test(one),
  );
  const publish = useMutation({
    mutationFn: () => api.call("POST /v1/workspaces", { body: workspaceOf(form) }, { idempotencyKey }),
    onSuccess: async ({ id }) => {
      await queries.invalidateQueries();
      return navigate({ to: "/workspaces/$id", params: { id } });
    },
  });
  const change = (part: Partial<Form>) => {
    setForm((now) => ({ ...now, ...part }));
    setIdempotencyKey(newKey());
  };
  return (
    <Page title={t("deploy.title")} lead={t("deploy.lead")}>
      <form
        className="columns wide-left"
        onSubmit={(event) => {
          event.preventDefault();
          publish.mutate();
        }}
      >
        <div className="stack">
          <Panel title={t("deploy.templates")} note={t("deploy.templates.note")}>
            <Templates choose={change} />
          </Panel>
          <Panel title={t("deploy.size")}>
            <div className="row">
              {sizes.map(({ name, form: size }) => (
                <Button key={name} onClick={() => change(size)}>
                  {t(`deploy.size.${name}`)}
                </Button>
              ))}
            </div>
          </Panel>
          <Panel title={t("deploy.what")}>
            <Fields form={form} change={change} images={images} />
          </Panel>
        </div>
        <div className="stack">
          <Panel title={t("deploy.fits")} note={t("deploy.fits.note")}>
            <Answer form={form} />
          </Panel>
          {publish.error === null ? null : <ErrorNotice error={publish.error} />}
          <Button kind="primary" type="submit" disabled={publish.isPending || !imagePattern.test(form.image)}>
            {t(publish.isPending ? "deploy.publishing" : "deploy.action")}
          </Button>
        </div>
      </form>
    </Page>
  );
}

/** 16 random bytes. `crypto.randomUUID` exists only where the page was loaded over TLS. */
const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
