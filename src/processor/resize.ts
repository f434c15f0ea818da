/** RGB pixels, [height,width,3] u8. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

// Pillow's fixed point: 8 bits of result, 2 spare, the rest fraction.
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);
const BICUBIC_SUPPORT = 2;
/** One channel of a packed pixel. */
const M = 255;

/** Catmull-Rom: Pillow's BICUBIC has a = -0.5. Same operations in the same order as Pillow's C, because each rounding shows. */
function bicubic(at: number): number {
  const a = -0.5;
  const x = Math.abs(at);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** For each place of the output: the first place of the input that it reads, how many, and their weights. */
interface Filter {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [output,stride], fixed point. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc. */
function makeFilter(inputSize: number, outputSize: number): Filter {
  const scale = inputSize / outputSize;
  const filterScale = Math.max(scale, 1);
  const support = BICUBIC_SUPPORT * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < outputSize; i++) {
    const center = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(inputSize, Math.trunc(center + support + 0.5));
    const inverse = 1 / filterScale;
    let sum = 0;
    for (let k = 0; k < high - low; k++) {
      exact[k] = bicubic((k + low - center + 0.5) * inverse);
      sum += exact[k] as number;
    }
    for (let k = 0; k < high - low; k++) {
      const weight = (sum === 0 ? (exact[k] as number) : (exact[k] as number) / sum) * (1 << PRECISION_BITS);
      weights[i * stride + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = low;
    count[i] = high - low;
  }
  return { first, count, weights, stride };
}

const clip8 = (sum: number): number => {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

/** Rows `top` to `bottom` of the input, each made `width` wide. */
function resizeHorizontally(image: RgbImage, width: number, top: number, bottom: number): RgbImage {
  const { first, count, weights, stride } = makeFilter(image.width, width);
  const output = new Uint8Array((bottom - top) * width * 3);
  // One row, a pixel in each word: a third of the loads below, which are what this loop costs.
  const row = new Int32Array(image.width);
  let to = 0;
  for (let y = top; y < bottom; y++) {
    packRow(image, y, row);
    for (let x = 0; x < width; x++) {
      let from = first[x] as number;
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let k = x * stride;
      const end = k + (count[x] as number);
      // Four at a time: the loop itself is a quarter of the work.
      for (; k + 3 < end; k += 4, from += 4) {
        const w0 = weights[k] as number;
        const w1 = weights[k + 1] as number;
        const w2 = weights[k + 2] as number;
        const w3 = weights[k + 3] as number;
        const p0 = row[from] as number;
        const p1 = row[from + 1] as number;
        const p2 = row[from + 2] as number;
        const p3 = row[from + 3] as number;
        r = (r + Math.imul(p0 & M, w0) + Math.imul(p1 & M, w1) + Math.imul(p2 & M, w2) + Math.imul(p3 & M, w3)) | 0;
        g = (g + Math.imul((p0 >>> 8) & M, w0) + Math.imul((p1 >>> 8) & M, w1)) | 0;
        g = (g + Math.imul((p2 >>> 8) & M, w2) + Math.imul((p3 >>> 8) & M, w3)) | 0;
        b = (b + Math.imul(p0 >>> 16, w0) + Math.imul(p1 >>> 16, w1)) | 0;
        b = (b + Math.imul(p2 >>> 16, w2) + Math.imul(p3 >>> 16, w3)) | 0;
      }
      for (; k < end; k++, from++) {
        const weight = weights[k] as number;
        const pixel = row[from] as number;
        r = (r + Math.imul(pixel & M, weight)) | 0;
        g = (g + Math.imul((pixel >>> 8) & M, weight)) | 0;
        b = (b + Math.imul(pixel >>> 16, weight)) | 0;
      }
      output[to++] = clip8(r);
      output[to++] = clip8(g);
      output[to++] = clip8(b);
    }
  }
  return { data: output, width, height: bottom - top };
}

/** Row `y`, each pixel as 0xBBGGRR. */
function packRow({ data, width }: RgbImage, y: number, row: Int32Array): void {
  for (let x = 0, from = y * width * 3; x < width; x++, from += 3) {
    row[x] = (data[from] as number) | ((data[from + 1] as number) << 8) | ((data[from + 2] as number) << 16);
  }
}

/** `top`: the row of the whole picture that `image` starts with. */
function resizeVertically(image: RgbImage, filter: Filter, top: number): RgbImage {
  const { first, count, weights, stride } = filter;
  const { data: input, width } = image;
  const height = first.length;
  const length = width * 3;
  const output = new Uint8Array(height * length);
  const sums = new Int32Array(length);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (count[y] as number); k++) {
      const weight = weights[y * stride + k] as number;
      const from = ((first[y] as number) + k - top) * length;
      for (let x = 0; x < length; x++) {
        sums[x] = (sums[x] as number) + Math.imul(input[from + x] as number, weight);
      }
    }
    for (let x = 0; x < length; x++) output[y * length + x] = clip8(sums[x] as number);
  }
  return { data: output, width, height };
}

/**
 * Resizes as `PIL.Image.resize((width, height), BICUBIC)` of Pillow 9.4 does, bit for bit: rows first, then columns, 8 bits in between, each pass left
 * out where the size stays. Mirrors `ImagingResample` (libImaging/Resample.c).
 */
export function resize(image: RgbImage, width: number, height: number): RgbImage {
  const vertical = image.height === height ? undefined : makeFilter(image.height, height);
  const top = vertical ? (vertical.first[0] as number) : 0;
  const bottom = vertical ? (vertical.first[height - 1] as number) + (vertical.count[height - 1] as number) : height;
  const narrow = image.width === width ? image : resizeHorizontally(image, width, top, bottom);
  if (!vertical) return narrow;
  return resizeVertically(narrow, vertical, narrow === image ? 0 : top);
}
