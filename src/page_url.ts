/** Addresses in full. Some bundlers turn `new URL('./file', import.meta.url)` into a path, `/_next/static/media/file`, which only pages understand. */

/**
 * @param url - an address, or a path from the page's; in Node, where there is no page, it stays as it is
 * @throws TypeError for what is no address
 */
export function absoluteUrl(url: string): string {
  const page = pageUrl();
  return page === undefined ? url : new URL(url, page).href;
}

function pageUrl(): string | undefined {
  const { document, location } = globalThis as Partial<Pick<typeof globalThis, 'document' | 'location'>>;
  return document?.baseURI ?? location?.href;
}
