/** Addresses as bundlers leave them, made into ones that can be fetched. */

/**
 * @param url - an address, or a path from the page's; in Node, where there is no page, it stays as it is
 * @throws TypeError for what is no address
 */
export function absoluteUrl(url: string): string {
  const page = pageUrl();
  return page === undefined ? url : new URL(url, page).href;
}

/**
 * Where one of the package's files is.
 *
 * @param url - what `new URL('../file', import.meta.url).href` gave: in Next.js a path from the page's, `/_next/static/media/file`; in the dev
 *   server of Vite 5 to 7, which moves code to `node_modules/.vite/deps` and leaves the files where they are, `node_modules/.vite/file`
 */
export function packageUrl(url: string): string {
  // Not below another node_modules, as pnpm's `.pnpm` has them: there the files are in their place.
  const moved = /(\/node_modules\/)\.(?:(?!\/node_modules\/)[^?#])*\/([^/?#]+)$/;
  return absoluteUrl(url.replace(moved, '$1inpose/dist/$2'));
}

function pageUrl(): string | undefined {
  const { document, location } = globalThis as Partial<Pick<typeof globalThis, 'document' | 'location'>>;
  return document?.baseURI ?? location?.href;
}
