/** The pixels and finite differences of DARK's two forms, for the composed op and the shader alike. */
/** Which pixels a form reads, and the derivatives dx, dy, dxx, dyy, dxy as weights of their logarithms. */
export interface DarkStencil {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly weights: readonly (readonly number[])[];
  /** Bounds before the logarithm. */
  readonly low: number;
  readonly high: number;
  /** Added to dxx and dyy. */
  readonly epsilon: number;
}

export const DARK: DarkStencil = {
  x: [0, 1, -1, 0, 0, 2, -2, 0, 0, 1, -1, 1, -1],
  y: [0, 0, 0, 1, -1, 0, 0, 2, -2, 1, 1, -1, -1],
  weights: [
    [0, 0.5, -0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0.5, -0.5, 0, 0, 0, 0, 0, 0, 0, 0],
    [-0.5, 0, 0, 0, 0, 0.25, 0.25, 0, 0, 0, 0, 0, 0],
    [-0.5, 0, 0, 0, 0, 0, 0, 0.25, 0.25, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.25, -0.25, -0.25, 0.25],
  ],
  low: 1e-10,
  high: 3e38,
  epsilon: 0,
};

export const UDP: DarkStencil = {
  x: [0, 1, 0, 1, -1, -1, 0],
  y: [0, 0, 1, 1, -1, 0, -1],
  weights: [
    [0, 0.5, 0, 0, 0, -0.5, 0],
    [0, 0, 0.5, 0, 0, 0, -0.5],
    [-2, 1, 0, 0, 0, 1, 0],
    [-2, 0, 1, 0, 0, 0, 1],
    [1, -0.5, -0.5, 0.5, 0.5, -0.5, -0.5],
  ],
  low: 1e-3,
  high: 50,
  epsilon: 2 ** -23,
};
