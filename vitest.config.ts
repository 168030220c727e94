/** Three projects: `node` (fast, no browser), `browser` (tests inside real Chromium with WebGPU and WebGL2), `bundle` (the package). */
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { INSTALLED_BROWSERS, isInstalledBrowser } from './tests/support/installed_browser.js';
import { installed } from './tests/support/vitest_installed.js';
import process from 'node:process';
import { chromiumFlags, locateChromium } from './tests/support/chromium.js';
import { TFJS } from './vite.config.js';
import { serveWasm } from './vite.wasm.js';

export default defineConfig(async () => ({
  test: {
    projects: [
      {
        test: {
          name: 'node',
          environment: 'node' as const,
          include: ['tests/unit/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'bundle',
          environment: 'node' as const,
          // Built, packed and installed: applications, the demo and our tools, in a Chromium that playwright drives.
          include: ['tests/bundle/**/*.test.ts', 'tests/demo/**/*.test.ts', 'tests/tools/**/*.test.ts'],
          globalSetup: ['tests/bundle/setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [serveWasm()],
        // Vite would find these while the first test runs, and reload the page under it.
        optimizeDeps: { include: TFJS },
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Software GPUs use every core already; two files at once would only time out together.
          fileParallelism: false,
          browser: {
            enabled: true,
            screenshotFailures: false,
            ...(await testBrowser()),
          },
        },
      },
    ],
  },
}));

/** Chromium under playwright, or what INPOSE_BROWSER names. */
async function testBrowser() {
  const name = process.env.INPOSE_BROWSER ?? 'chromium';
  if (name === 'chromium') {
    const launchOptions = { executablePath: await locateChromium(), args: chromiumFlags() };
    return { headless: true, provider: playwright({ launchOptions }), instances: [{ browser: 'chromium' as const }] };
  }
  if (!isInstalledBrowser(name))
    throw new Error(`INPOSE_BROWSER: found "${name}"; expected chromium, ${INSTALLED_BROWSERS.join(' or ')}.`);
  return { headless: false, ui: false, provider: installed(name), instances: [{ browser: name as 'firefox' }] };
}
