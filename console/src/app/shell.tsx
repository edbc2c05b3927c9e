import { Dialog } from "@base-ui/react/dialog";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { isLanguage, languages } from "../i18n/language.ts";
import { Button } from "../ui/form.tsx";
import { Icon, Mark } from "../ui/icons.tsx";
import { Navigation } from "./navigation.tsx";
import { useSettings, useText } from "./settings.tsx";

export function Shell() {
  const t = useText();
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("skip")}
      </a>
      <aside className="sidebar" aria-label={t("nav.label")}>
        <Brand />
        <Navigation />
        <Preferences />
      </aside>
      <TopBar />
      <main className="main" id="main" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

const Brand = () => (
  <Link to="/" className="brand">
    <Mark />
    ngpu
  </Link>
);

/** On a phone the navigation is behind a button. */
function TopBar() {
  const t = useText();
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when another page is shown.
  useEffect(() => setOpen(false), [pathname]);
  return (
    <header className="topbar">
      <Brand />
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Trigger className="button quiet" aria-label={t("nav.open")}>
          <Icon name="menu" />
        </Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Backdrop className="drawer-backdrop" />
          <Dialog.Popup className="drawer" aria-label={t("nav.label")}>
            <Navigation />
            <Preferences />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </header>
  );
}

function Preferences() {
  const { t, language, setLanguage, theme, setTheme } = useSettings();
  const other = language === "en" ? "zh" : "en";
  return (
    <div className="preferences">
      <Button kind="quiet" lang={other} onClick={() => isLanguage(other) && setLanguage(other)}>
        {languages[other]}
      </Button>
      <Button kind="quiet" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
        {t(theme === "dark" ? "theme.light" : "theme.dark")}
      </Button>
    </div>
  );
}
