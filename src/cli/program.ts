/** The `inpose` command line: its commands, its progress bar, and how failures are told. Node only. */
import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import { convert, type ConvertOptions, type ConvertResult } from './convert.js';
import { inspect } from './inspect.js';
import { list } from './list.js';
import { pull, type PullOptions } from './pull.js';

/** The command line, with its output passed in so that tests can read it. */
export function createProgram(
  out: NodeJS.WritableStream,
  err: NodeJS.WritableStream & { isTTY?: boolean },
  signal?: AbortSignal,
): Command {
  const program = new Command('inpose').description(
    'Finds MMPose models, looks into their weights files and converts them.',
  );
  program.configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) });
  program
    .command('inspect')
    .description('list names, shapes and types of the weights, the meta data, and the config that was found')
    .argument('<file>', '.pth or .safetensors file, or its URL')
    .option('--json', 'print everything as JSON')
    .option('--graph', "print the operations of the model's forward pass instead")
    .option('--optimized', 'with --graph: as they are compiled for WebGPU')
    .option('--batch <persons>', 'with --graph: persons per forward pass', readCount)
    .option('--graph-svg <out.svg>', 'draw the graph into a file, too')
    .action(async (file: string, options: InspectOptions) => {
      const { graphSvg: svg, graph, optimized, batch } = options;
      if (graph || svg) {
        const { inspectGraph } = await import('./graph.js');
        out.write(`${await inspectGraph(file, { optimized, batch, svg, signal })}\n`);
        return;
      }
      out.write(`${await inspect(file, { ...options, signal })}\n`);
    });
  program
    .command('convert')
    .description('write weights, config and meta-info into one .safetensors file')
    .argument('<file>', '.pth or .safetensors file, or its URL')
    .requiredOption('-o, --output <out.safetensors>', 'file to write')
    .option('--fp16', 'store floating-point weights in 16 bits')
    .option('--config <file>', 'config to use instead of the one in or beside the file (JSON or Python literals)')
    .option('--model <name>', 'use the config of this published model, see `inpose list`')
    .action(async (file: string, options: ConvertOptions) => {
      const bar = err.isTTY ? await startBar(err) : null;
      const onProgress = bar && ((bytes: number, total: number) => bar.update(bytes, total, 'converting'));
      const work = convert(file, { ...options, signal, onProgress: onProgress ?? undefined });
      tell(await work.finally(() => bar?.stop()), out, err);
    });
  program
    .command('list')
    .description("list MMPose's published models: name, task, keypoints, input, size, accuracy")
    .argument('[words...]', 'only models with all these words in name, alias, task or training data')
    .option('--json', 'print everything about them as JSON, configs included')
    .action(async (words: readonly string[], options: { json?: boolean }) => {
      out.write(`${await list(words, options)}\n`);
    });
  program
    .command('pull')
    .description('download a published model from where MMPose has it, and convert it')
    .argument('<name>', 'name or alias, see `inpose list`')
    .option('-o, --output <out.safetensors>', 'file to write (default: NAME.safetensors)')
    .option('--fp16', 'store floating-point weights in 16 bits')
    .action(async (name: string, options: PullOptions) => {
      const bar = err.isTTY ? await startBar(err) : null;
      const work = pull(name, { ...options, signal, onProgress: bar?.update });
      tell(await work.finally(() => bar?.stop()), out, err);
    });
  return program;
}

function tell({ summary, notes }: ConvertResult, out: NodeJS.WritableStream, err: NodeJS.WritableStream): void {
  for (const note of notes) err.write(`inpose: note: ${note}\n`);
  out.write(`${summary}\n`);
}

interface InspectOptions {
  readonly json?: boolean;
  readonly graph?: boolean;
  readonly optimized?: boolean;
  readonly batch?: number;
  readonly graphSvg?: string;
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Expected a whole number above 0.');
}

interface Bar {
  update(bytes: number, total: number, stage: string): void;
  stop(): void;
}

async function startBar(stream: NodeJS.WritableStream): Promise<Bar> {
  const { default: progress } = await import('cli-progress');
  const format = '{stage} {bar} {percentage}% of {megabytes} MB';
  const bar = new progress.SingleBar(
    { stream, format, hideCursor: true, clearOnComplete: true },
    progress.Presets.shades_classic,
  );
  bar.start(1, 0, { megabytes: '?', stage: '' });
  return {
    update(bytes, total, stage) {
      bar.setTotal(Math.max(total, bytes, 1));
      bar.update(bytes, { stage, megabytes: (Math.max(total, bytes) / 1e6).toFixed(1) });
    },
    stop: () => bar.stop(),
  };
}

/** Runs one command line. Every failure is one line on `stderr` and a non-zero exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process;
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')));
  // `inpose inspect FILE | head` closes the pipe: nothing is wrong then.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    await createProgram(stdout, stderr, interrupt.signal).parseAsync(argv);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    stderr.write(`inpose: ${message.replace(/\s*\n\s*/g, ' ')}\n`);
    process.exitCode = interrupt.signal.aborted ? 130 : 1;
  }
}
