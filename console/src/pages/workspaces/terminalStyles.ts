/**
 * The terminal writes style elements and style attributes, which the page's policy forbids. While one is open, the document turns
 * the rules of such elements into style sheets that it adopts, and sets such attributes as properties. The policy allows both.
 * The terminal's own option for another document does not reach all of its parts.
 *
 * @returns A function that takes this back.
 */
export function allowTerminalStyles(): () => void {
  const sheets: CSSStyleSheet[] = [];
  const create = Document.prototype.createElement;
  const createElement = (name: string, options?: ElementCreationOptions): HTMLElement => {
    if (name === "style") return styleElement(create.call(document, "span"), sheets);
    const element = create.call(document, name, options);
    if (name === "span") setStylesAsProperties(element);
    return element;
  };
  // An own property of the document, before that of its prototype.
  Object.defineProperty(document, "createElement", { configurable: true, value: createElement });
  return () => {
    Reflect.deleteProperty(document, "createElement");
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => !sheets.includes(one));
  };
}

/** An element whose text is the rules of an adopted style sheet. */
function styleElement(element: HTMLElement, sheets: CSSStyleSheet[]): HTMLElement {
  const sheet = new CSSStyleSheet();
  sheets.push(sheet);
  document.adoptedStyleSheets.push(sheet);
  element.hidden = true;
  Object.defineProperty(element, "textContent", { set: (rules: string) => sheet.replaceSync(rules) });
  return element;
}

function setStylesAsProperties(element: HTMLElement): void {
  const set = element.setAttribute.bind(element);
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else set(name, value);
  };
}
