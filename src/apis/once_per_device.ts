/** Remembers what was found out about each device. */

export function oncePerDevice<T>(ask: (device: GPUDevice) => T): (device: GPUDevice) => T {
  const answers = new WeakMap<GPUDevice, T>();
  return (device) => {
    if (!answers.has(device)) answers.set(device, ask(device));
    return answers.get(device)!;
  };
}
