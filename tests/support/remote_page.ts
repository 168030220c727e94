/**
 * A page in a browser that nothing drives: it asks our server what to do, so that Firefox, WebKit and a phone in somebody's hand are
 * all the same to us.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plugin } from 'vite';
import { openInstalled, type InstalledBrowser, type Opened } from './installed_browser.js';
import { READY_LIMIT_MS, type PageCall, type PageHost, type PageHostOptions } from './page_host.js';
import { startPageServer, type PageServer } from './page_server.js';
import { CALLS, decode, encode, REPORTS, type Call, type CallsReply, type Report } from './remote_messages.js';

const CLIENT = 'tests/support/remote_page_client.ts';
/** Proxies and browsers give up requests that take longer. */
const ANSWER_WITHIN_MS = 20_000;

/** See `openPageHost`. With `browser: 'own'` it prints the address and waits as long as it takes. */
export async function openRemotePage(options: PageHostOptions): Promise<PageHost> {
  const { browser = 'own', project, script, cache } = options;
  const remote = new Remote(options);
  const server = await startPageServer({
    ...{ project, script, files: options.files, host: browser === 'own' ? options.host : undefined },
    ...{ cache: `${cache ?? script}-remote`, before: [CLIENT], plugins: [remote.plugin] },
  });
  let opened: Opened | undefined;
  const close = async () => {
    await remote.end();
    await opened?.close();
    await server.close();
  };
  try {
    if (browser === 'own') announce(server);
    else opened = await open(browser as InstalledBrowser, server, remote);
    await remote.hello;
    return { call: remote.call, problems: remote.problems, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function announce({ urls }: PageServer): void {
  console.log(`open in a browser: ${urls.join('  or  ')}`);
}

async function open(browser: InstalledBrowser, server: PageServer, remote: Remote): Promise<Opened> {
  const opened = await openInstalled(browser, server.urls[0]);
  opened.process.once('close', () => remote.fail(`${browser} has ended`));
  opened.process.once('error', (error) => remote.fail(`${browser}: ${error.message}`));
  void sleep(READY_LIMIT_MS, undefined, { ref: false }).then(() =>
    remote.failUnlessHello(`${browser} did not open the page`),
  );
  return opened;
}

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** The page, as our side knows it. */
class Remote {
  readonly problems: string[] = [];
  readonly hello: Promise<void>;
  readonly plugin: Plugin;
  readonly #options: PageHostOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #calls: CallsReply[] = [];
  #asking: ((reply: CallsReply) => void) | null = null;
  #greeted!: Waiting;
  #wasGreeted = false;
  #failed: Error | null = null;
  #next = 0;

  constructor(options: PageHostOptions) {
    this.#options = options;
    this.hello = new Promise<void>((resolve, reject) => (this.#greeted = { resolve: () => resolve(), reject }));
    this.plugin = {
      name: 'inpose:remote-page',
      configureServer: ({ middlewares }) => {
        middlewares.use(CALLS, (_request, response) => void this.#giveCall(response));
        middlewares.use(REPORTS, (request, response) => void this.#takeReport(request, response));
      },
    };
  }

  readonly call = ((name: string, ...args: unknown[]) =>
    new Promise((resolve, reject) => {
      if (this.#failed) return reject(this.#failed);
      const call: Call = { id: this.#next++, name, args };
      this.#waiting.set(call.id, { resolve, reject });
      this.#send(call);
    })) as unknown as PageCall;

  /** Every call, the present ones too, rejects from now on. */
  fail(message: string): void {
    this.#failed ??= new Error(message);
    this.#greeted.reject(this.#failed);
    for (const { reject } of this.#waiting.values()) reject(this.#failed);
    this.#waiting.clear();
  }

  failUnlessHello(message: string): void {
    if (!this.#wasGreeted) this.fail(message);
  }

  /** Tells the page that there is nothing more to do, and gives it a moment to hear it. */
  async end(): Promise<void> {
    this.#send('end');
    if (this.#wasGreeted && !this.#failed) await sleep(200);
  }

  #send(reply: CallsReply): void {
    if (this.#asking) this.#asking(reply);
    else this.#calls.push(reply);
  }

  async #giveCall(response: ServerResponse): Promise<void> {
    const reply = this.#calls.shift() ?? (await this.#nextCall());
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(encode(reply));
  }

  #nextCall(): Promise<CallsReply> {
    return new Promise((resolve) => {
      const answer = (reply: CallsReply) => {
        clearTimeout(timer);
        this.#asking = null;
        resolve(reply);
      };
      const timer = setTimeout(() => answer(null), ANSWER_WITHIN_MS);
      this.#asking = answer;
    });
  }

  async #takeReport(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    response.writeHead(204).end();
    this.#hear(decode(text) as Report);
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case 'hello':
        return this.#greet();
      case 'result':
        return this.#settle(report.id, (waiting) => waiting.resolve(report.value as never));
      case 'error':
        return this.#settle(report.id, (waiting) => waiting.reject(new Error(report.message)));
      case 'progress':
        return this.#options.onProgress?.(report.text);
      case 'problem':
        if (!this.#options.ignore?.test(report.text)) this.problems.push(report.text);
    }
  }

  /** A page that greets twice was loaded anew: by a person, or by a browser whose page has crashed. */
  #greet(): void {
    if (this.#wasGreeted) return this.fail('the page was loaded a second time, or has crashed');
    this.#wasGreeted = true;
    this.#greeted.resolve(undefined as never);
  }

  #settle(id: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) how(waiting);
  }
}
