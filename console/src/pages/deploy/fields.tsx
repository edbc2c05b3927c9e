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
  const texts = { form, change };
  return (
    <div className="fields">
      <Text
        {...texts}
        name="image"
        label="workspace.image"
        help="deploy.image.help"
        error={wrongImage ? t("deploy.image.wrong") : undefined}
        choices={images}
        read={(text) => text.trim()}
        wide
        literal
      />
      <Text {...texts} name="name" label="workspace.name" help="deploy.name.help" />
      <Text {...texts} name="ports" label="deploy.ports" help="deploy.ports.help" decimal />
      <Text {...texts} name="replicas" label="workspace.replicas" decimal />
      <Text {...texts} name="pricePerHour" label="deploy.price" help="deploy.price.help" decimal />
      <Text {...texts} name="gpus" label="deploy.gpus" decimal />
      <Text {...texts} name="gpuModel" label="deploy.model" help="deploy.model.help" choices={models} />
      <Text {...texts} name="vramGib" label="deploy.vram" decimal />
      <Text {...texts} name="cpu" label="workspace.cpu" decimal />
      <Text {...texts} name="memoryGib" label="deploy.memory" decimal />
      <Text {...texts} name="diskGib" label="deploy.disk" decimal />
      <Text
        {...texts}
        name="region"
        label="node.region"
        help="deploy.region.help"
        most={2}
        read={(text) => text.toUpperCase()}
      />
      <Area {...texts} name="env" label="deploy.env" help="deploy.env.help" />
      <Area {...texts} name="command" label="deploy.command" help="deploy.command.help" />
    </div>
  );
}

type OneText = Omit<Given, "images"> & { name: keyof Form; label: MessageKey; help?: MessageKey };

/** A line of text of the form. */
function Text({
  form,
  change,
  name,
  label,
  help,
  error,
  choices,
  most,
  decimal = false,
  literal = false,
  wide = false,
  read = (text) => text,
}: OneText & {
  error?: string | undefined;
  /** Values that are offered while one types. */
  choices?: string[];
  /** Characters. */
  most?: number;
  decimal?: boolean;
  /** Neither spelling nor capitals are corrected. */
  literal?: boolean;
  wide?: boolean;
  /** The value of what was typed. */
  read?: (text: string) => string;
}) {
  const t = useText();
  const list = `deploy-${name}`;
  return (
    <>
      <Field wide={wide} label={t(label)} help={help === undefined ? undefined : t(help)} error={error}>
        {(control) => (
          <input
            {...control}
            {...(decimal ? { inputMode: "decimal" as const } : {})}
            {...(literal ? { spellCheck: false, autoCapitalize: "none" } : {})}
            {...(choices === undefined ? {} : { list })}
            maxLength={most}
            value={form[name]}
            onChange={(event) => change({ [name]: read(event.target.value) })}
          />
        )}
      </Field>
      {choices === undefined ? null : (
        <datalist id={list}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </>
  );
}

/** Several lines of text of the form. */
function Area({ form, change, name, label, help }: OneText) {
  const t = useText();
  return (
    <Field wide label={t(label)} help={help === undefined ? undefined : t(help)}>
      {(control) => (
        <textarea
          {...control}
          value={form[name]}
          onChange={(event) => change({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
}
