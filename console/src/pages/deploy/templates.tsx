import { useQuery } from "@tanstack/react-query";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button } from "../../ui/form.tsx";
import { type Form, formOfWorkspace, initial } from "./form.ts";

type Template = { key: string; name: string; note: string; form: Form };

/** What to begin with: the partner's own workspaces as they are, and the images that are registered on the chain. */
export function Templates({ choose }: { choose: (form: Form) => void }) {
  const { t } = useSettings();
  const templates = useTemplates();
  if (templates.length === 0) return <p className="muted">{t("deploy.templates.none")}</p>;
  return (
    <div className="templates">
      {templates.map(({ key, name, note, form }) => (
        <Button key={key} className="template" onClick={() => choose(form)}>
          <strong>{name}</strong>
          <span className="unit">{note}</span>
        </Button>
      ))}
    </div>
  );
}

function useTemplates(): Template[] {
  const { t, format } = useSettings();
  const { api, apiKey = "" } = useSession();
  const images = useRoute("GET /v1/images", { query: { limit: 50 } });
  const own = useQuery({
    queryKey: ["templates", apiKey.slice(0, 12)],
    queryFn: async ({ signal }) => {
      const { workspaces } = await api.call("GET /v1/workspaces", { query: { limit: 4 } }, { signal });
      return Promise.all(
        workspaces.map(({ id }) => api.call("GET /v1/workspaces/{id}", { path: { id } }, { signal })),
      );
    },
  });
  return [
    ...(own.data ?? []).map((workspace) => ({
      key: `workspace ${workspace.id}`,
      name: t("deploy.templates.like", {
        name: workspace.name ?? t("workspace.unnamed", { id: workspace.id }),
      }),
      note: `${format.decimal(workspace.cpu)} × CPU, ${format.memory(workspace.memoryMib)}, GPU ${workspace.gpu.count}`,
      form: formOfWorkspace(workspace),
    })),
    ...(images.data?.images ?? []).map(({ digest, reference, sizeBytes }) => ({
      key: digest,
      name: reference.split("/").at(-1) ?? reference,
      note: `${format.bytes(Number(sizeBytes))} · ${digest.slice(2, 10)}`,
      form: { ...initial, image: `${reference}@sha256:${digest.slice(2)}` },
    })),
  ];
}
