/** The library's version, as in package.json (a test compares them): what is remembered in the browser belongs to one version. */
export const VERSION = '0.1.0';
