/** Two projects: `node` (fast, no browser) and `browser` (real Chromium with WebGPU and WebGL2). */
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumFlags, locateChromium } from './tests/support/chromium.js';
import { serveWasm } from './vite.wasm.js';

const TFJS = ['core', 'backend-cpu', 'backend-wasm', 'backend-webgl', 'backend-webgpu'];

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
        plugins: [serveWasm()],
        // Vite would find these while the first test runs, and reload the page under it.
        optimizeDeps: { include: TFJS.map((name) => `@tensorflow/tfjs-${name}`) },
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Software GPUs use every core already; two files at once would only time out together.
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { executablePath: await locateChromium(), args: chromiumFlags() },
            }),
            instances: [{ browser: 'chromium' as const }],
          },
        },
      },
    ],
  },
}));
