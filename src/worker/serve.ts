/** The worker's script where it runs from source. */
import { serve, type Port } from './host.js';

serve(globalThis as unknown as Port);
