import { useRoute } from "../../api/queries.ts";
import { useText } from "../../app/settings.tsx";
import type { MessageKey } from "../../i18n/types.ts";
import { Field } from "../../ui/form.tsx";
import { type Form, imagePattern } from "./form.ts";

type Given = { form: Form; change: (part: Partial<Form>) => void; images: string[] };

export function Fields({ form, change, images }: Given) {
  const t = useText();
  const market = useRoute("GET /v1/market", {});
  const models = market.data?.models.flatMap(({ name }) => (name === null ? [] : [name])) ?? [];
  const wrongImage = form.image !== "" && !imagePattern.test(form.image);
  const figure = (name: keyof Form, label: MessageKey, help?: MessageKey) => (
    <Field label={t(label)} help={help === undefined ? undefined : t(help)}>
      {(control) => (
        <input
          {...control}
          inputMode="decimal"
          value={form[name]}
          onChange={(event) => change({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <div className="fields">
      <Field
        wide
        label={t("workspace.image")}
        help={t("deploy.image.help")}
        error={wrongImage ? t("deploy.image.wrong") : undefined}
      >
        {(control) => (
          <input
            {...control}
            list="deploy-images"
            spellCheck={false}
            autoCapitalize="none"
            value={form.image}
            onChange={(event) => change({ image: event.target.value.trim() })}
          />
        )}
      </Field>
      <datalist id="deploy-images">
        {images.map((image) => (
          <option key={image} value={image} />
        ))}
      </datalist>
      <Field label={t("workspace.name")} help={t("deploy.name.help")}>
        {(control) => (
          <input {...control} value={form.name} onChange={(event) => change({ name: event.target.value })} />
        )}
      </Field>
      {figure("ports", "deploy.ports", "deploy.ports.help")}
      {figure("replicas", "workspace.replicas")}
      {figure("pricePerHour", "deploy.price", "deploy.price.help")}
      {figure("gpus", "deploy.gpus")}
      <Field label={t("deploy.model")} help={t("deploy.model.help")}>
        {(control) => (
          <input
            {...control}
            list="deploy-models"
            value={form.gpuModel}
            onChange={(event) => change({ gpuModel: event.target.value })}
          />
        )}
      </Field>
      <datalist id="deploy-models">
        {models.map((model) => (
          <option key={model} value={model} />
        ))}
      </datalist>
      {figure("vramGib", "deploy.vram")}
      {figure("cpu", "workspace.cpu")}
      {figure("memoryGib", "deploy.memory")}
      {figure("diskGib", "deploy.disk")}
      <Field label={t("node.region")} help={t("deploy.region.help")}>
        {(control) => (
          <input
            {...control}
            maxLength={2}
            value={form.region}
            onChange={(event) => change({ region: event.target.value.toUpperCase() })}
          />
        )}
      </Field>
      <Field wide label={t("deploy.env")} help={t("deploy.env.help")}>
        {(control) => (
          <textarea {...control} value={form.env} onChange={(event) => change({ env: event.target.value })} />
        )}
      </Field>
      <Field wide label={t("deploy.command")} help={t("deploy.command.help")}>
        {(control) => (
          <textarea
            {...control}
            value={form.command}
            onChange={(event) => change({ command: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}
