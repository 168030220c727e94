#!/usr/bin/env node
/** Entry of the `inpose` command: runs on import, unlike everything else here. */
import process from 'node:process';
import { main } from './program.js';

await main(process.argv);
