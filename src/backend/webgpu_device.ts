/**
 * Starts tfjs's WebGPU backend on a device of our own asking: tfjs asks for no subgroups, and the compiled networks
 * (`jit/`) run on the same device and use them where they exist.
 */

/** Asked for where the adapter has them; nothing depends on any. */
const FEATURES = ['timestamp-query', 'bgra8unorm-storage', 'subgroups'] as const;

/** The limits that tfjs raises, and the bindings per shader, of which fused kernels use more. */
const LIMITS = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBuffersPerShaderStage',
] as const;

/** The backend package, as far as it is used here. */
interface WebgpuPackage {
  readonly WebGPUBackend: new (device: never, info: never) => unknown;
}

/** A `GPUAdapter`, as far as it is used here. */
interface Adapter {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
}

/** What to ask `requestDevice` for: everything above that the adapter has. */
export interface DeviceRequest {
  readonly requiredFeatures: (typeof FEATURES)[number][];
  readonly requiredLimits: Record<string, number>;
}

export function deviceRequest({ features, limits }: Adapter): DeviceRequest {
  return {
    requiredFeatures: FEATURES.filter((feature) => features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])),
  };
}

/** WebGPU's entry point, as far as it is used here. */
interface Gpu {
  requestAdapter(options: { powerPreference: string }): Promise<
    | (Adapter & {
        readonly info: unknown;
        requestDevice(request: DeviceRequest): Promise<unknown>;
      })
    | null
  >;
}

/** @throws TypeError when there is no adapter (any more); the probe has found one before */
export async function createWebgpuBackend({ WebGPUBackend }: WebgpuPackage): Promise<unknown> {
  const { gpu } = globalThis.navigator as unknown as { gpu: Gpu };
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new TypeError('the browser found no WebGPU adapter');
  const device = await adapter.requestDevice(deviceRequest(adapter));
  return new WebGPUBackend(device as never, adapter.info as never);
}
