/** Everything that a page says or fails to get. Tests of pages end with `expect(problems).toEqual([])`. */
import type { Page } from 'playwright';

/** Starts collecting: console messages (also warnings and logs), uncaught errors, failed requests. Call before `goto`. */
export function watchPage(page: Page): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    // The dev server's own client greets at this level; nothing of ours does.
    if (message.type() === 'debug' && message.text().startsWith('[vite]')) return;
    const { url } = message.location();
    problems.push(`console.${message.type()}: ${message.text()}${url ? ` (${url})` : ''}`);
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) =>
    problems.push(`failed: ${request.url()} ${request.failure()?.errorText ?? ''}`),
  );
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  return problems;
}
