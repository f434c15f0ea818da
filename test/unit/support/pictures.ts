import { randomNumbers } from './random.js';

/** Raw 8-bit RGB, as `ImageInput` takes it. */
export interface RawPicture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
}

/** Sizes of the pictures of the parity tests: smaller and larger than the model's, tall, wide, tiny (one of height 1 or 3 is more than transformers can read). */
export const PARITY_PICTURES = [
  { width: 224, height: 224, seed: 101 },
  { width: 640, height: 481, seed: 102 },
  { width: 97, height: 131, seed: 103 },
  { width: 31, height: 200, seed: 104 },
  { width: 320, height: 240, seed: 105 },
  { width: 5, height: 2, seed: 106 },
  { width: 500, height: 60, seed: 107 },
] as const;

/** A diagonal fade between two colours, rectangles on it, and noise. Whole numbers only: the same everywhere. */
export function randomPicture({ width, height, seed }: { width: number; height: number; seed: number }): RawPicture {
  const random = randomNumbers(seed);
  const below = (limit: number): number => ((random() + 1) * 0x80000000) % limit;
  const colour = () => [below(256), below(256), below(256)] as const;
  const from = colour();
  const to = colour();
  const steps = width + height;
  const rectangles = Array.from({ length: 5 }, () => {
    const [x, y] = [below(width), below(height)];
    return { x, y, right: x + 1 + below(width), bottom: y + 1 + below(height), colour: colour() };
  });
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const over = rectangles.findLast(r => x >= r.x && x < r.right && y >= r.y && y < r.bottom);
      for (let c = 0; c < 3; c++, i++) {
        const fade = Math.floor((from[c]! * (steps - x - y) + to[c]! * (x + y)) / steps);
        data[i] = Math.max(0, Math.min(255, (over ? over.colour[c]! : fade) + below(33) - 16));
      }
    }
  }
  return { data, width, height, channels: 3 };
}
