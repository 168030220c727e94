/** Vitest's browser tests in an installed Firefox or WebKitGTK: `INPOSE_BROWSER=firefox npx vitest run --project browser`. */
import { defineBrowserProvider } from '@vitest/browser';
import { openInstalled, type InstalledBrowser, type Opened } from './installed_browser.js';

/** A provider that opens the page of the tests and leaves the rest to it. */
export function installed(name: InstalledBrowser) {
  return defineBrowserProvider({
    name: `installed ${name}`,
    providerFactory: () => new InstalledProvider(name),
  });
}

class InstalledProvider {
  readonly name: string;
  readonly supportsParallelism = false;
  readonly #browser: InstalledBrowser;
  readonly #opened: Opened[] = [];

  constructor(browser: InstalledBrowser) {
    this.#browser = browser;
    this.name = browser;
  }

  getCommandsContext(): Record<string, unknown> {
    return {};
  }

  async openPage(_session: string, url: string): Promise<void> {
    this.#opened.push(await openInstalled(this.#browser, url));
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((opened) => opened.close()));
  }
}
