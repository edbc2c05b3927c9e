import { Dialog } from "@base-ui/react/dialog";
import { type ComponentProps, type ReactNode, useId } from "react";

type Kind = "primary" | "danger" | "quiet" | "plain";

export function Button({
  kind = "plain",
  className = "",
  ...rest
}: ComponentProps<"button"> & { kind?: Kind }) {
  return <button type="button" {...rest} className={`button ${kind} ${className}`} />;
}

/** An input with its label, what it means, and what is wrong with it. */
export function Field(given: {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  wide?: boolean;
  children: (control: {
    id: string;
    className: string;
    "aria-describedby": string;
    "aria-invalid": boolean;
  }) => ReactNode;
}) {
  const id = useId();
  const described = `${id}-help`;
  const control = {
    id,
    className: "input",
    "aria-describedby": described,
    "aria-invalid": given.error !== undefined,
  };
  return (
    <div className={given.wide === true ? "field wide" : "field"}>
      <label htmlFor={id}>{given.label}</label>
      {given.children(control)}
      <span id={described} className={given.error === undefined ? "help" : "help is-bad"}>
        {given.error ?? given.help}
      </span>
    </div>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(given: {
  open: boolean;
  title: string;
  text: ReactNode;
  yes: string;
  no: string;
  onAnswer: (yes: boolean) => void;
}) {
  return (
    <Dialog.Root open={given.open} onOpenChange={(open) => (open ? undefined : given.onAnswer(false))}>
      <Dialog.Portal>
        <Dialog.Backdrop className="drawer-backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>{given.title}</Dialog.Title>
          <Dialog.Description>{given.text}</Dialog.Description>
          <div className="row">
            <Button kind="danger" onClick={() => given.onAnswer(true)}>
              {given.yes}
            </Button>
            <Button onClick={() => given.onAnswer(false)}>{given.no}</Button>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
